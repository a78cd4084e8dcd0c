package store

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// DialTimeouts keeps every wait for the store within one beat, so that a
// lost reply costs one beat and not the lease.
func DialTimeouts(beat time.Duration) time.Duration {
	return min(max(beat, 200*time.Millisecond), 5*time.Second)
}

// Dial makes a client for redis://, rediss://, unix:// and
// redis+sentinel://[user:password@]master@host:port,host:port/db. It does not
// connect yet. Timeouts and reconnect waits stay within timeout.
func Dial(address string, timeout time.Duration) (redis.UniversalClient, error) {
	if rest, ok := strings.CutPrefix(address, "redis+sentinel://"); ok {
		o, err := sentinelOptions(rest)
		if err != nil {
			return nil, err
		}
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = timeout, timeout, timeout
		o.MaxRetries, o.MinRetryBackoff, o.MaxRetryBackoff = 1, 10*time.Millisecond, timeout/4
		o.ContextTimeoutEnabled = true
		return redis.NewFailoverClient(o), nil
	}
	o, err := redis.ParseURL(address)
	if err != nil {
		return nil, fmt.Errorf("redis address: %w", hidePassword(err, address))
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = timeout, timeout, timeout
	o.MaxRetries, o.MinRetryBackoff, o.MaxRetryBackoff = 1, 10*time.Millisecond, timeout/4
	o.DialerRetries, o.DialerRetryTimeout = 1, 10*time.Millisecond
	o.ContextTimeoutEnabled = true
	o.Protocol = 2 // scripts are tested with its replies
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(o), nil
}

func sentinelOptions(rest string) (*redis.FailoverOptions, error) {
	o := &redis.FailoverOptions{Protocol: 2}
	hosts, path, _ := strings.Cut(rest, "/")
	path, query, _ := strings.Cut(path, "?")
	if path != "" {
		db, err := strconv.Atoi(path)
		if err != nil || db < 0 {
			return nil, fmt.Errorf("redis address: %q is no database number", path)
		}
		o.DB = db
	}
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		o.MasterName, hosts = hosts[:at], hosts[at+1:]
		if user := strings.LastIndexByte(o.MasterName, '@'); user >= 0 {
			name, password, _ := strings.Cut(o.MasterName[:user], ":")
			o.MasterName = o.MasterName[user+1:]
			var err error
			if o.Username, err = url.PathUnescape(name); err == nil {
				o.Password, err = url.PathUnescape(password)
			}
			if err != nil {
				return nil, fmt.Errorf("redis address: user or password is wrongly escaped: write %%40 for @")
			}
			// Sentinels are usually given the same words as the servers.
			o.SentinelUsername, o.SentinelPassword = o.Username, o.Password
		}
	}
	if o.MasterName == "" || hosts == "" {
		return nil, fmt.Errorf("redis address: write redis+sentinel://master@host:26379,host:26379/0")
	}
	o.SentinelAddrs = strings.Split(hosts, ",")
	options, err := url.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("redis address: %w", err)
	}
	if options.Get("tls") == "true" {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return o, nil
}

// hidePassword keeps a password out of the message of a parse error, which
// quotes the whole address.
func hidePassword(err error, address string) error {
	text := err.Error()
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		if scheme := strings.Index(address, "://"); scheme >= 0 && scheme+3 < at {
			text = strings.ReplaceAll(text, address[scheme+3:at], "…")
		}
	}
	return fmt.Errorf("%s", text)
}

// Ping tells whether the store answers.
func (s *Store) Ping(ctx context.Context) error { return s.client.Ping(ctx).Err() }
