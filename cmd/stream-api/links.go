package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"stream-api/config"
	"stream-api/store"
	"stream-api/store/embedded"
	"stream-api/stream"
)

// embeddedAddress is where the embedded store listens if the port is free:
// where redis-cli and the commands look without being told.
const embeddedAddress = "127.0.0.1:6379"

// links are a process's ways to the store.
type links struct {
	address string // as network.redis writes it, passwords and all
	client  redis.UniversalClient
	store   *store.Store
	// heart renews the lease on a connection of its own, so that a crowd of
	// other calls never stands before it.
	heartClient redis.UniversalClient
	heart       *store.Store
	embedded    *embedded.Server
}

// connect makes the clients; it does not wait for the store to answer.
func connect(cfg *config.Config, log zerolog.Logger) (*links, error) {
	l := &links{}
	var err error
	if l.address, err = cfg.Resolve(cfg.Network.Redis); err != nil {
		return nil, configError(fmt.Errorf("network.redis: %w", err))
	}
	if l.address == config.Embedded {
		if l.embedded, err = embedded.Start(embeddedAddress); err != nil {
			return nil, err
		}
		l.address = l.embedded.URL()
		log.Warn().Str("redis", l.address).Msg("the store is the embedded one: for a look, not for air; it keeps nothing over a restart and other machines do not reach it")
	}
	if err := l.dial(cfg); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *links) dial(cfg *config.Config) error {
	timeout := store.DialTimeout(cfg.Lease.Beat)
	options := store.Options{Namespace: cfg.Network.Namespace, Actor: cfg.Network.Name, Tells: true, TTL: cfg.Lease.TTL, Beat: cfg.Lease.Beat}
	var err error
	if l.client, err = dial(l.address, timeout); err != nil {
		return configError(fmt.Errorf("network.redis: %w", err))
	}
	if l.heartClient, err = dial(l.address, timeout); err != nil {
		return configError(fmt.Errorf("network.redis: %w", err))
	}
	if l.store, err = store.New(l.client, options); err != nil {
		return err
	}
	l.heart, err = store.New(l.heartClient, options)
	return err
}

// dial makes a client for an address as network.redis and --redis write it.
func dial(address string, timeout time.Duration) (redis.UniversalClient, error) {
	r, err := config.ParseRedis(address)
	if err != nil {
		return nil, err
	}
	if r.Embedded {
		if r, err = config.ParseRedis("redis://" + embeddedAddress); err != nil {
			return nil, err
		}
	}
	return store.Dial(targetOf(r), timeout), nil
}

func targetOf(r config.Redis) store.Target {
	return store.Target{
		Network: r.Network, Master: r.Master, Addrs: r.Addrs,
		Username: r.Username, Password: r.Password, DB: r.DB, TLS: r.TLS,
		SentinelUsername: r.SentinelUsername, SentinelPassword: r.SentinelPassword,
	}
}

// shown is the address without its password.
func (l *links) shown() string { return stream.MaskURLs(l.address) }

// close ends the clients, and the embedded store with all it holds.
func (l *links) close() error {
	var err error
	if l.client != nil {
		err = errors.Join(err, l.client.Close())
	}
	if l.heartClient != nil {
		err = errors.Join(err, l.heartClient.Close())
	}
	if l.embedded != nil {
		l.embedded.Close()
	}
	return err
}
