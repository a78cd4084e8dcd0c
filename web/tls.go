package web

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// certLook is how often the files of a certificate are looked at, at most.
const certLook = 10 * time.Second

// certificate is read from its files, and again when they change: certificates
// are renewed while the page is open.
type certificate struct {
	certFile, keyFile string
	log               zerolog.Logger

	mu     sync.Mutex
	pair   *tls.Certificate
	stamp  [2]time.Time // of the files when pair was read
	looked time.Time
}

// tlsOf is what serves with a certificate. Its error says what is wrong with
// the files.
func tlsOf(certFile, keyFile string, log zerolog.Logger) (*tls.Config, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.read(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"}, // one connection, one client: limits count connections
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current(), nil
		},
	}, nil
}

func (c *certificate) read() error {
	stamp := c.stamps()
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("web.tls: %s and %s: %w", c.certFile, c.keyFile, err)
	}
	c.pair, c.stamp = &pair, stamp
	return nil
}

func (c *certificate) stamps() (out [2]time.Time) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			out[i] = info.ModTime()
		}
	}
	return out
}

// current is the certificate of the files as they are now; the last good one if
// they are no good, as when only one of them is written yet.
func (c *certificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < certLook {
		return c.pair
	}
	c.looked = time.Now()
	if c.stamps() == c.stamp {
		return c.pair
	}
	if err := c.read(); err != nil {
		c.log.Warn().Err(err).Msg("the changed certificate is not taken up; the former one is shown")
	} else {
		c.log.Info().Str("file", c.certFile).Msg("a changed certificate is taken up")
	}
	return c.pair
}
