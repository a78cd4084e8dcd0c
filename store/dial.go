package store

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Target is where the store is.
type Target struct {
	Network string // tcp or unix
	// Master is the name that Sentinels watch; empty without Sentinel.
	Master string
	// Addrs is one host:port or socket path, or those of the Sentinels.
	Addrs    []string
	Username string
	Password string
	// SentinelUsername and SentinelPassword are for the Sentinels, which know
	// none of the servers' users.
	SentinelUsername string
	SentinelPassword string
	DB               int
	TLS              bool
}

// secure is how the store's certificate is checked: against the system's
// authorities, or those that SSL_CERT_FILE or SSL_CERT_DIR name. Nil: no TLS.
func (t Target) secure() *tls.Config {
	if !t.TLS {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12}
}

// DialTimeout keeps every wait for the store within one beat, so that a lost
// reply costs one beat and not the lease.
func DialTimeout(beat time.Duration) time.Duration {
	return min(max(beat, 200*time.Millisecond), 5*time.Second)
}

// retryPause is the first pause before a call is tried a second time.
const retryPause = 10 * time.Millisecond

// Dial makes a client whose waits and reconnects stay within timeout. It does
// not connect yet. The caller closes it.
func Dial(t Target, timeout time.Duration) redis.UniversalClient {
	client := newClient(t, timeout)
	client.AddHook(patientDialer{})
	return client
}

func newClient(t Target, timeout time.Duration) *redis.Client {
	secure := t.secure()
	if t.Master != "" {
		return redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: t.Master, SentinelAddrs: t.Addrs, DB: t.DB, TLSConfig: secure,
			Username: t.Username, Password: t.Password,
			SentinelUsername: t.SentinelUsername, SentinelPassword: t.SentinelPassword,
			Protocol: 2, // the scripts' replies are tested with it
			// CLIENT SETINFO would be one more command that a user must be allowed.
			DisableIdentity: true,
			DialTimeout:     timeout, ReadTimeout: timeout, WriteTimeout: timeout, ContextTimeoutEnabled: true,
			MaxRetries: 1, MinRetryBackoff: retryPause, MaxRetryBackoff: timeout / 4,
			DialerRetries: 1, DialerRetryTimeout: retryPause,
		})
	}
	return redis.NewClient(&redis.Options{
		Network: t.Network, Addr: t.Addrs[0], DB: t.DB, TLSConfig: secure,
		Username: t.Username, Password: t.Password,
		Protocol: 2, DisableIdentity: true,
		DialTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout, ContextTimeoutEnabled: true,
		MaxRetries: 1, MinRetryBackoff: retryPause, MaxRetryBackoff: timeout / 4,
		DialerRetries: 1, DialerRetryTimeout: retryPause,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// Ping tells whether the store answers.
func (s *Store) Ping(ctx context.Context) error { return s.client.Ping(ctx).Err() }
