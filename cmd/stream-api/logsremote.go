package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// tokenVariable is not STREAM_API_TOKEN, which is a child's fencing token.
const tokenVariable = "STREAM_API_WEB_TOKEN"

// readRemote prints a log through the API of the host that has it.
func (r *reader) readRemote(ctx context.Context, base string, slot store.SlotRecord) error {
	host := slot.Host
	request, err := r.request(ctx, base, r.life(slot))
	if err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = 10 * time.Second
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // the token is for this host alone
	}}
	answer, err := client.Do(request)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s %w: %w; is its page reachable from here? else %s", host, errUnreached, err, r.there())
	}
	defer func() { _ = answer.Body.Close() }() // only read from
	if answer.StatusCode != http.StatusOK {
		return refusal(answer, host)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l supervisor.LogLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("the log from %s: %w", host, err)
		}
		if err := r.print(l); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil {
		if r.follow {
			fmt.Fprintf(os.Stderr, "stream-api: the log from %s broke off: %v\n", host, err)
			return nil // it is looked for where the slot runs next
		}
		return fmt.Errorf("the log from %s broke off: %w", host, err)
	}
	return nil
}

func (r *reader) request(ctx context.Context, base, of string) (*http.Request, error) {
	at, err := url.Parse(base)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" {
		return nil, fmt.Errorf("the host's address %s is no URL of a page", harmless(base))
	}
	at = at.JoinPath("api/v1/logs", r.key, r.slot)
	query := url.Values{"tail": {strconv.Itoa(r.tail)}}
	if of != "" {
		query.Set("token", of)
	}
	if r.follow {
		query.Set("follow", "1")
	}
	at.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	token := os.Getenv(tokenVariable)
	if r.tokenFile != "" {
		text, err := os.ReadFile(r.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		token = strings.TrimSpace(strings.TrimPrefix(string(text), stream.ByteOrderMark))
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return request, nil
}

// refusal says why a host did not give its log.
func refusal(answer *http.Response, host string) error {
	text, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if err != nil {
		return fmt.Errorf("%s answers %s: %w", host, answer.Status, err)
	}
	said := struct{ Error, Host string }{}
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		said.Error = answer.Status
	}
	switch {
	case answer.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s wants its web token: give --token-file, or $%s", host, tokenVariable)
	case answer.StatusCode == http.StatusNotFound, said.Host != "": // it moved on meanwhile
		return fmt.Errorf("%s: %w: %s", host, store.ErrNotFound, clean(said.Error))
	}
	if answer.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("%s %w: %s", host, errUnreached, clean(said.Error))
	}
	return errors.New(host + ": " + clean(said.Error))
}
