package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
	"stream-api/web"
)

// tokenVariable is not STREAM_API_TOKEN, which is a child's fencing token.
const tokenVariable = "STREAM_API_WEB_TOKEN"

// readRemote prints a log through the API of the host that has it.
func (r *reader) readRemote(ctx context.Context, base string, instance store.InstanceRecord) error {
	host := instance.Host
	request, proven, err := r.request(ctx, base, host, r.wanted(instance))
	if err != nil {
		return err
	}
	client := pageClient(10 * time.Second)
	defer client.CloseIdleConnections()
	answer, err := client.Do(request)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s %w: %w; is its page reachable from here? else %s", host, errUnreached, err, r.there())
	}
	defer func() { _ = answer.Body.Close() }() // only read from
	if answer.StatusCode != http.StatusOK {
		return refusal(answer, host, proven)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l supervisor.LogLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("the log from %s: %w", host, err)
		}
		l.Text = stream.Shown(l.Text) // it may be another program that answers
		if err := r.print(l); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil {
		if r.follow {
			say("stream-api: the log from %s broke off: %v", host, err)
			return nil // it is looked for where the slot runs next
		}
		return fmt.Errorf("the log from %s broke off: %w", host, err)
	}
	return nil
}

// pageClient asks a page, whose answer begins within limit, and follows no redirect: what
// shows who asks, a token or its proof, is for that page alone.
func pageClient(limit time.Duration) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = limit
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// request asks for a log at an address that Redis names, which may be anybody's:
// it carries no token but a proof that is good for this host's log alone.
func (r *reader) request(ctx context.Context, base, host, of string) (request *http.Request, proven bool, err error) {
	at, err := url.Parse(base)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
		return nil, false, fmt.Errorf("the address of %s, %s, is no URL of a page", host, harmless(base))
	}
	if at.Scheme == "http" && !r.insecure && !onThisMachine(at.Hostname()) {
		return nil, false, fmt.Errorf("%s shows its page without TLS at %s, where whoever is between reads the log along: give it web.tls, or take it so with --insecure; else %s",
			host, harmless(at.Host), r.there())
	}
	at = at.JoinPath("api/v1/logs", r.key, r.slot)
	query := url.Values{"tail": {strconv.Itoa(r.tail)}}
	if of != "" {
		query.Set("token", of)
	}
	if r.follow {
		query.Set("follow", "1")
	}
	at.RawQuery, at.User, at.Fragment = query.Encode(), nil, ""
	if request, err = http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil); err != nil {
		return nil, false, err
	}
	token, err := r.token()
	if err != nil || token == "" {
		return request, false, err
	}
	request.Header.Set("Authorization", web.Proof(token, host, request.URL.RequestURI(), time.Now()))
	return request, true, nil
}

func (r *reader) token() (string, error) {
	if r.tokenFile == "" {
		return os.Getenv(tokenVariable), nil
	}
	text, err := os.ReadFile(r.tokenFile)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	return strings.TrimSpace(strings.TrimPrefix(string(text), stream.ByteOrderMark)), nil
}

// onThisMachine tells whether what is sent to an address stays here.
func onThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// refusal says why a host did not give its log.
func refusal(answer *http.Response, host string, proven bool) error {
	text, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if err != nil {
		return fmt.Errorf("%s answers %s: %w", host, answer.Status, err)
	}
	said := struct{ Error, Host string }{}
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		said.Error = answer.Status
	}
	switch {
	case answer.StatusCode == http.StatusUnauthorized && proven:
		return fmt.Errorf("%s does not take the proof of the web token: its token is another one, or its clock and the one here differ by more than a minute", host)
	case answer.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s wants its web token: give --token-file, or $%s", host, tokenVariable)
	case answer.StatusCode == http.StatusNotFound, said.Host != "": // it moved on meanwhile
		return fmt.Errorf("%s: %w: %s", host, store.ErrNotFound, stream.Shown(said.Error))
	}
	if answer.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("%s %w: %s", host, errUnreached, stream.Shown(said.Error))
	}
	return errors.New(host + ": " + stream.Shown(said.Error))
}
