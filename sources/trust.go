package sources

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"

	"stream-api/internal/regular"
)

// trust believes the certificates of one file, and no others: that of an
// authority, or a server's own. It is read at each connection, so that a
// renewed one is taken up without a restart.
type trust struct{ file string }

// maxCA is far beyond the bundle of a whole system, in bytes.
const maxCA = 16 << 20

// dial connects to a server that shows a certificate of the file.
func (t *trust) dial(ctx context.Context, network, address string) (net.Conn, error) {
	text, err := regular.ReadGiven(t.file, maxCA)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca: %s holds no certificate in PEM form", t.file)
	}
	d := tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return d.DialContext(ctx, network, address)
}
