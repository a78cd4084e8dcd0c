package sources

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"stream-api/stream"
)

// defaultLimit is the most an answer may have, unpacked. 10,000 mounts of an
// Icecast with every field filled are 8 MiB.
const defaultLimit = 16 << 20

// fetcher gets an answer from a server that may be slow, broken or hostile:
// one deadline over everything from the connection to the last byte, a limit
// on the unpacked size, and no redirect to another host.
type fetcher struct {
	client   *http.Client
	timeout  time.Duration
	limit    int64
	user     string
	password string
	trust    *trust // of the source's own; nil: the machine's
}

// newFetcher makes a fetcher. ca is a file of certificates to be believed
// instead of the machine's; empty: none.
func newFetcher(timeout time.Duration, limit int64, keepAlive bool, ca string) *fetcher {
	transport := &http.Transport{
		DialContext:            (&net.Dialer{}).DialContext, // bounded by the deadline of the whole
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      !keepAlive,
	}
	f := &fetcher{
		client:  &http.Client{Transport: transport, CheckRedirect: sameHost},
		timeout: timeout,
		limit:   limit,
	}
	if ca != "" {
		f.trust = &trust{file: ca}
		transport.DialTLSContext = f.trust.dial
	}
	return f
}

func (f *fetcher) close() { f.client.CloseIdleConnections() }

// errRedirect refuses what could make us read, and believe, somebody else.
type errRedirect struct{ from, to string }

func (e errRedirect) Error() string {
	from, to := hostOf(e.from), ""
	if _, rest, ok := strings.Cut(e.to, "://"); ok {
		to = hostOf(rest)
	}
	switch {
	case from == to && strings.HasPrefix(e.to, "https:"):
		return fmt.Sprintf("%s redirects to https: write %s in the source's url", e.from, e.to)
	case from == to:
		return fmt.Sprintf("%s redirects to %s: write that in the source's url", e.from, e.to)
	}
	return fmt.Sprintf("%s redirects to another host, %s; that is refused: configure the right url", e.from, e.to)
}

func sameHost(req *http.Request, via []*http.Request) error {
	if first := via[0].URL; !strings.EqualFold(req.URL.Host, first.Host) || req.URL.Scheme != first.Scheme {
		return errRedirect{from: first.Host, to: req.URL.Scheme + "://" + req.URL.Host}
	}
	if len(via) > 3 {
		return errors.New("more than 3 redirects")
	}
	return nil
}

// statusError is an answer other than 200.
type statusError struct {
	url    string
	code   int
	logged bool // credentials were sent
	plain  bool // it speaks https, and was asked without
}

func (e *statusError) denied() bool {
	return e.code == http.StatusUnauthorized || e.code == http.StatusForbidden
}

func (e *statusError) Error() string {
	advice := ""
	switch {
	case e.denied() && e.logged:
		advice = ": user and password are refused"
	case e.denied():
		advice = ": give user and password"
	case e.plain:
		advice = ": it speaks https; write https:// in the source's url"
	case e.code == http.StatusNotFound:
		advice = ": is the source's type right, and its url"
	}
	return fmt.Sprintf("%s answers %d %s%s", e.url, e.code, http.StatusText(e.code), advice)
}

func errTooLarge(limit int64) error {
	return fmt.Errorf("the answer has more than %d MiB; is the url right", limit>>20)
}

// get returns the whole body of a 200.
func (f *fetcher) get(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	req.Header.Set("User-Agent", "stream-api")
	if f.user != "" || f.password != "" {
		req.SetBasicAuth(f.user, f.password)
	}
	start := time.Now()
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, f.explain(ctx, req.URL, err, start, 0)
	}
	// The connection is given up when the body is not read to its end, which
	// is what a server that sends too much deserves.
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		refused := &statusError{url: bareURL(req.URL), code: resp.StatusCode, logged: req.Header.Get("Authorization") != ""}
		if req.URL.Scheme == "http" && resp.StatusCode == http.StatusBadRequest {
			said, _ := io.ReadAll(io.LimitReader(resp.Body, 1024)) // what came says enough
			refused.plain = bytes.Contains(said, []byte("HTTPS"))
		}
		return nil, refused
	}
	// The transport unpacks gzip while we read, so a small bomb is cut at the
	// limit like a large page.
	body, err := io.ReadAll(io.LimitReader(resp.Body, f.limit+1))
	if err != nil {
		return nil, f.explain(ctx, req.URL, err, start, len(body))
	}
	if int64(len(body)) > f.limit {
		return nil, fmt.Errorf("%s: %w", bareURL(req.URL), errTooLarge(f.limit))
	}
	return body, nil
}

// explain says what happened and what can be done.
func (f *fetcher) explain(ctx context.Context, u *url.URL, err error, start time.Time, got int) error {
	var redirect errRedirect
	var dns *net.DNSError
	var wrongName x509.HostnameError
	var unproven *tls.CertificateVerificationError
	switch {
	case errors.As(err, &redirect):
		return redirect
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s gave no complete answer within %v (%d bytes came): is the server overloaded, or timeout too short", bareURL(u), f.timeout, got)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: stopped after %v: %w", bareURL(u), time.Since(start).Round(time.Millisecond), context.Cause(ctx))
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nobody listens at %s (connection refused): is the server running, and the port right", u.Host)
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("%s speaks no https: write http:// in the source's url", u.Host)
	case errors.As(err, &wrongName):
		return fmt.Errorf("the certificate of %s is for another name (%w): write one of its names in the source's url", u.Host, wrongName)
	case errors.As(err, &unproven):
		return fmt.Errorf("the certificate of %s is not to be trusted (%w): give the file of its authority, or of the certificate itself, as the source's ca", u.Host, unproven)
	case errors.As(err, &dns):
		return fmt.Errorf("the name %s cannot be resolved: %w", dns.Name, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: the answer is cut off after %d bytes", bareURL(u), got)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s hung up without an answer", u.Host)
	}
	var inner *url.Error
	if errors.As(err, &inner) { // its text repeats the URL, credentials of the query included
		err = inner.Err
	}
	return fmt.Errorf("%s: %w", bareURL(u), err)
}

// bareURL is a URL fit for messages: without credentials and query.
func bareURL(u *url.URL) string {
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return bare.String()
}

// parsed runs a parser over a body and notes its size.
func parsed(body []byte, pull string, parse func([]byte, string) (listing, error)) (listing, error) {
	l, err := parse(bytes.TrimPrefix(body, []byte(stream.ByteOrderMark)), pull)
	if err != nil {
		return listing{}, fmt.Errorf("unreadable answer: %w", err)
	}
	l.bytes = len(body)
	return l, nil
}
