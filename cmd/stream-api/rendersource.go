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
	"strings"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// storeSource is the picture as the store has it. It is opened by the first read that can.
type storeSource struct {
	g      *global
	follow bool
	store  *store.Store
	done   func()
	stop   context.CancelFunc
	hints  chan struct{}
}

// readLimit bounds one read of the whole picture.
const readLimit = 20 * time.Second

func (s *storeSource) Read(ctx context.Context) (stream.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	if s.store == nil {
		if err := s.open(ctx); err != nil {
			return stream.Status{}, err
		}
	}
	status, err := readStatus(ctx, s.store)
	if err != nil {
		return stream.Status{}, errors.New(store.Explain(err))
	}
	return status, nil
}

func (s *storeSource) open(ctx context.Context) error {
	opened, done, err := s.g.open(ctx)
	if err != nil {
		return err
	}
	s.store, s.done = opened, done
	if !s.follow {
		return nil
	}
	s.hints = make(chan struct{}, 1)
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go func() { // ends when the source is closed
		for range opened.Hints(following) {
			hint(s.hints)
		}
	}()
	return nil
}

// hint leaves a word that something may have changed, if none waits.
func hint(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (s *storeSource) Hints() <-chan struct{} { return s.hints }

func (s *storeSource) close() {
	if s.stop != nil {
		s.stop()
	}
	if s.done != nil {
		s.done()
	}
}

// pageSource is the picture as a page has it.
type pageSource struct {
	base   *url.URL
	token  func() (string, error)
	client *http.Client
	hints  chan struct{}
}

// maxPicture bounds what is read of a page, in bytes: 100,000 streams are some 60 MB.
const maxPicture = 128 << 20

func newPageSource(from, tokenFile string, insecure bool) (*pageSource, error) {
	at, err := url.Parse(from)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
		return nil, usageError("--from %s: write the address of a page, such as https://ber.example:8080", stream.Shown(from))
	}
	if at.User != nil || at.RawQuery != "" || at.Fragment != "" {
		return nil, usageError("--from %s: write the address alone; its token comes from --token-file or $%s", stream.Shown(from), tokenVariable)
	}
	if at.Scheme == "http" && !insecure && !onThisMachine(at.Hostname()) {
		return nil, usageError("--from %s: without TLS whoever is between reads the token along: give that page web.tls and write https, or take it so with --insecure", stream.Shown(from))
	}
	return &pageSource{base: at, token: (&reader{tokenFile: tokenFile}).token, hints: make(chan struct{}, 1), client: pageClient(readLimit)}, nil
}

func (p *pageSource) Hints() <-chan struct{} { return p.hints }

func (p *pageSource) ask(ctx context.Context, path, accept string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base.JoinPath(path).String(), nil)
	if err != nil {
		return nil, err
	}
	token, err := p.token() // read each time: it may have been replaced
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	request.Header.Set("Accept", accept)
	answer, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		defer func() { _ = answer.Body.Close() }() // only read from
		return nil, p.refusal(answer)
	}
	return answer, nil
}

// refusal says why the page did not answer.
func (p *pageSource) refusal(answer *http.Response) error {
	said := struct{ Error string }{}
	text, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if err != nil || json.Unmarshal(text, &said) != nil || said.Error == "" {
		said.Error = answer.Status
	}
	switch {
	case answer.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s wants its web token: give the right one by --token-file, or $%s", p.base.Host, tokenVariable)
	case answer.StatusCode/100 == 3:
		return fmt.Errorf("%s leads elsewhere (%s), and the token is for it alone: write the address where the page is", p.base.Host, answer.Status)
	}
	return fmt.Errorf("%s: %s", p.base.Host, stream.Shown(said.Error))
}

func (p *pageSource) Read(ctx context.Context) (stream.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	answer, err := p.ask(ctx, "api/v1/status", "application/json")
	if err != nil {
		return stream.Status{}, err
	}
	defer func() { _ = answer.Body.Close() }() // only read from
	body := &io.LimitedReader{R: answer.Body, N: maxPicture}
	var status stream.Status
	if err := json.NewDecoder(body).Decode(&status); err != nil {
		return stream.Status{}, fmt.Errorf("what %s answers is no status: %w", p.base.Host, err)
	}
	if status.At == 0 || status.Hosts == nil || status.Streams == nil {
		return stream.Status{}, fmt.Errorf("what %s answers is no status: is there a page of stream-api?", p.base.Host)
	}
	stream.Show(&status) // it may be another program that answers
	return status, nil
}

// hear takes what the page tells by its event stream as hints, until ctx ends. Without it the picture is asked for now
// and then all the same.
func (p *pageSource) hear(ctx context.Context) {
	for ctx.Err() == nil {
		if answer, err := p.ask(ctx, "api/v1/events", "text/event-stream"); err == nil {
			p.listen(answer.Body)
			_ = answer.Body.Close() // only read from
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
		}
	}
}

// listen hints at each message that says that something changed. Of a message its first line says what it is.
func (p *pageSource) listen(body io.Reader) {
	lines := bufio.NewReader(body)
	for {
		line, isPrefix, err := lines.ReadLine()
		if err != nil {
			return
		}
		if kind, ok := strings.CutPrefix(string(line), "event: "); ok && (kind == "change" || kind == "picture") {
			hint(p.hints)
		}
		for isPrefix && err == nil { // the rest of a long one
			_, isPrefix, err = lines.ReadLine()
		}
	}
}
