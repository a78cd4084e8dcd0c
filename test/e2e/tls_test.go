package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

// authority makes certificates for a test and writes them below dir.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key = a.newKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stream-api test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err == nil {
		a.cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// server makes a certificate for 127.0.0.1, or for a host that is not this one.
func (a *authority) server(name string, addresses ...net.IP) {
	a.t.Helper()
	key := a.newKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: addresses,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write("redis.pem", "CERTIFICATE", der)
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write("redis.key", "PRIVATE KEY", text)
}

// tlsRedis starts a Redis that answers with the authority's server certificate.
func (a *authority) tlsRedis() string {
	a.t.Helper()
	port := realtest.FreePort(a.t)
	realtest.Redis(a.t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", a.path("redis.pem"), "--tls-key-file", a.path("redis.key"),
		"--tls-ca-cert-file", a.path("ca.pem"), "--tls-auth-clients", "no", "--requirepass", "s3cret", "--bind", "127.0.0.1")
	return fmt.Sprintf("rediss://:s3cret@127.0.0.1:%d/0", port)
}

// command runs the program with an environment of its own.
func command(t *testing.T, env string, args ...string) (out, errOut string, ok bool) {
	t.Helper()
	cmd := exec.Command(realrun.Binary(t), args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &stdout, &stderr, append(os.Environ(), env)
	err := cmd.Run()
	return stdout.String(), stderr.String(), err == nil
}

func TestANetworkRunsOverTLSWithAnAuthorityOfItsOwn(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.server("redis.example", net.IPv4(127, 0, 0, 1))
	url := a.tlsRedis()
	trust := "SSL_CERT_FILE=" + a.path("ca.pem")
	list := newListing(t, "s1", "s2")
	h := realrun.Start(t, "a", url, quickLease+list.source("work")+worker(10, ""), trust)
	var status string
	realtest.Await(t, 30*time.Second, "two streams run", func() bool {
		out, _, ok := command(t, trust, "status", "--redis", url)
		status = out
		return ok && strings.Count(out, string(stream.Running)) == 2
	})
	if strings.Contains(status+h.Log(), "s3cret") {
		t.Error("the password is shown")
	}
	out, errOut, ok := command(t, trust, "doctor", "--redis", url)
	if !strings.Contains(out, "the store answers in") {
		t.Errorf("doctor over TLS (%v): %s%s", ok, out, errOut)
	}

	// Without the authority nothing is said to the server.
	_, errOut, ok = command(t, "SSL_CERT_FILE="+os.DevNull, "status", "--redis", url)
	if ok || !strings.Contains(errOut, "certificate") || strings.Contains(errOut, "s3cret") {
		t.Errorf("status without the authority: %v, %s; want an error about the certificate", ok, errOut)
	}
}

func TestACertificateForAnotherHostIsRefused(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.server("redis.example", net.IPv4(192, 0, 2, 1))
	url := a.tlsRedis()
	_, errOut, ok := command(t, "SSL_CERT_FILE="+a.path("ca.pem"), "status", "--redis", url)
	if ok || !strings.Contains(errOut, "192.0.2.1") {
		t.Errorf("status: %v, %s; want an error that names whom the certificate is for", ok, errOut)
	}
}
