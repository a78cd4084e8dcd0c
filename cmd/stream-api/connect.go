package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"stream-api/config"
	"stream-api/store"
	"stream-api/stream"
)

// systemConfig is where a packaged host keeps its file.
const systemConfig = "/etc/stream-api/config.yaml"

const defaultRedis = "redis://127.0.0.1:6379/0"

// commandTimeout bounds every wait of a command for the store.
const commandTimeout = 5 * time.Second

// address finds the store: the flag, the environment, the system's file, the
// default; and says where it found it.
func (g *global) address() (redis, namespace, from string, err error) {
	namespace = g.namespace
	if namespace == "" {
		namespace = os.Getenv("STREAM_API_NAMESPACE")
	}
	if g.redis != "" {
		return g.redis, namespace, orElse(g.origin, "--redis"), nil
	}
	if v := os.Getenv("STREAM_API_REDIS"); v != "" {
		return v, namespace, "STREAM_API_REDIS", nil
	}
	if _, statErr := os.Stat(systemConfig); statErr == nil {
		cfg, err := config.Load(systemConfig)
		if errors.Is(err, fs.ErrPermission) {
			return "", "", "", fmt.Errorf("%w; give --redis or STREAM_API_REDIS instead", err)
		}
		if err != nil {
			return "", "", "", err
		}
		redis, err := cfg.Resolve(cfg.Network.Redis)
		if err != nil {
			return "", "", "", fmt.Errorf("network.redis of %s: %w", systemConfig, err)
		}
		if namespace == "" {
			namespace = cfg.Network.Namespace
		}
		return redis, namespace, systemConfig, nil
	}
	return defaultRedis, namespace, "the default", nil
}

// open reaches the store for a command. The caller closes what it returns.
func (g *global) open(ctx context.Context) (*store.Store, func(), error) {
	address, namespace, from, err := g.address()
	if err != nil {
		return nil, nil, err
	}
	client, err := dial(address, commandTimeout)
	if err != nil {
		return nil, nil, usageError("%v (from %s)", err, from)
	}
	stop := func() {
		if err := client.Close(); err != nil {
			fmt.Fprintf(os.Stderr, "stream-api: close the connection: %v\n", err)
		}
	}
	s, err := store.New(client, store.Options{Namespace: namespace, Actor: actor()})
	if err == nil {
		err = s.Check(ctx)
	}
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("%w\nthe store is %s (from %s); is it running? give another with --redis", err, stream.MaskURLs(address), from)
	}
	return s, stop, nil
}

// with opens the store for what one command does.
func (g *global) with(cmd *cobra.Command, do func(context.Context, *store.Store) error) error {
	s, done, err := g.open(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	return do(cmd.Context(), s)
}

// actor names who acts in the event feed.
func actor() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}
