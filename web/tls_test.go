package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"stream-api/internal/realtest"
	"stream-api/store"
)

// writePair writes a certificate that names itself, and its key.
func writePair(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestThePageIsServedOverTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile := writePair(t, t.TempDir(), "first")
	s, err := store.New(realtest.Redis(t).Client(), store.Options{Actor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	base, _, _ := serve(t, Options{Store: s, CertFile: certFile, KeyFile: keyFile}, "")
	pool := x509.NewCertPool()
	text, err := os.ReadFile(certFile)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatalf("no certificate: %v", err)
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool}}}
	answer, err := client.Get(strings.Replace(base, "http://", "https://", 1) + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(answer.Body)
	if err := answer.Body.Close(); err != nil {
		t.Error(err)
	}
	if err != nil || answer.StatusCode != 200 || answer.TLS == nil {
		t.Errorf("%s %q, %v", answer.Status, said, err)
	}
	plain, err := client.Get(base + "/healthz")
	if err == nil {
		_ = plain.Body.Close() // refused as it should be
		if plain.StatusCode == 200 {
			t.Error("it answers without TLS, too")
		}
	}
}

func TestAChangedCertificateIsTakenUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := writePair(t, dir, "first")
	c := &certificate{certFile: certFile, keyFile: keyFile, log: zerolog.Nop()}
	if err := c.read(); err != nil {
		t.Fatal(err)
	}
	shown := func() string {
		c.looked = time.Time{} // as if certLook had passed
		return c.current().Leaf.Subject.CommonName
	}
	if got := shown(); got != "first" {
		t.Errorf("shown: %s", got)
	}
	// A key that does not fit the certificate yet.
	writePair(t, dir, "second")
	later := time.Now().Add(time.Minute)
	good, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ key, want string }{{"no key", "first"}, {string(good), "second"}} {
		later = later.Add(time.Minute)
		if err := os.WriteFile(keyFile, []byte(step.key), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(keyFile, later, later); err != nil {
			t.Fatal(err)
		}
		if got := shown(); got != step.want {
			t.Errorf("with the key %.10q: %s is shown; want %s", step.key, got, step.want)
		}
	}
	if _, err := tlsOf(certFile, filepath.Join(dir, "nowhere"), zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "web.tls") {
		t.Errorf("without a key: %v; want an error that names web.tls", err)
	}
}
