package probe

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"stream-api/internal/legible"
)

const (
	// HeadLimit is the most that is read of an answer, in bytes. What follows its head says nothing: a mount of Icecast never ends.
	HeadLimit = 64 << 10

	maxRedirects = 5
	maxHints     = 8 // answers of status 1xx before the one that counts
)

// CheckURL reports what is wrong with the URL of HTTP.
func CheckURL(text string) error {
	_, err := parse(text)
	return err
}

func parse(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	var wrong *url.Error
	if errors.As(err, &wrong) {
		err = wrong.Err // without the text, which may hold a password
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("no URL: %w", err)
	case u.Scheme == "https":
		return nil, errors.New("only http:// is probed: for https write command: [curl, -fsS, -o, /dev/null, URL]")
	case u.Scheme != "http" || u.Hostname() == "":
		return nil, errors.New("it must begin with http:// and name a host")
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), "80")
	}
	return u, CheckAddress(u.Host)
}

// HTTP tells whether a GET is answered with a status of 2xx; the error says why not, in a few words and without user and
// password of the URL. A redirect is followed on the same host and port only. https is not spoken.
func HTTP(ctx context.Context, text string) error {
	u, err := parse(text)
	if err != nil {
		return err
	}
	for range maxRedirects {
		status, location, err := get(ctx, u)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", name(u), err)
		case status/100 == 2:
			return nil
		case status/100 != 3 || location == "":
			return fmt.Errorf("%d from %s", status, name(u))
		}
		next, err := u.Parse(location)
		if err == nil {
			next, err = parse(next.String())
		}
		if err != nil || !strings.EqualFold(next.Host, u.Host) {
			return fmt.Errorf("%d from %s: it leads to another host, which is not asked", status, name(u))
		}
		next.User = u.User
		u = next
	}
	return fmt.Errorf("%s: more than %d redirects", name(u), maxRedirects)
}

// name is a URL as it is shown.
func name(u *url.URL) string {
	shown := *u
	shown.User, shown.RawQuery, shown.Fragment = nil, "", ""
	shown.Host = strings.TrimSuffix(shown.Host, ":80")
	return legible.Line(legible.Cut(shown.String(), 200))
}

// get sends one request and reads the head of its answer.
func get(ctx context.Context, u *url.URL) (status int, location string, err error) {
	conn, err := dial(ctx, u.Host)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = conn.Close() }() // nothing more is wanted of it
	unhook := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer unhook()
	host := strings.TrimSuffix(u.Host, ":80")
	request := "GET " + u.RequestURI() + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: stream-api\r\nAccept: */*\r\nConnection: close\r\n"
	if u.User != nil {
		password, _ := u.User.Password()
		request += "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)) + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return 0, "", plain(ctx, err)
	}
	in := bufio.NewReaderSize(io.LimitReader(conn, HeadLimit), 4<<10)
	for range maxHints {
		if status, location, err = head(in); err != nil {
			return 0, "", plain(ctx, err)
		}
		if status/100 != 1 {
			return status, location, nil
		}
	}
	return 0, "", errors.New("nothing but hints")
}

var errNoHTTP = errors.New("the answer is no HTTP")

// head reads a status and the header that matters.
func head(in *bufio.Reader) (status int, location string, err error) {
	first, err := line(in)
	if err != nil {
		return 0, "", err
	}
	version, rest, _ := strings.Cut(first, " ")
	if !strings.HasPrefix(version, "HTTP/1.") && version != "ICY" { // an old server of radio
		return 0, "", errNoHTTP
	}
	if len(rest) < 3 || len(rest) > 3 && rest[3] != ' ' {
		return 0, "", errNoHTTP
	}
	for _, digit := range []byte(rest[:3]) {
		if digit < '0' || digit > '9' {
			return 0, "", errNoHTTP
		}
		status = 10*status + int(digit-'0')
	}
	for {
		text, err := line(in)
		if err != nil || text == "" {
			return status, location, err
		}
		if key, value, ok := strings.Cut(text, ":"); ok && strings.EqualFold(key, "Location") {
			location = strings.TrimSpace(value)
		}
	}
}

// line reads one line of the head; of one that is too long, its beginning.
func line(in *bufio.Reader) (string, error) {
	text, err := in.ReadSlice('\n')
	begin := strings.TrimRight(string(text), "\r\n")
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = in.ReadSlice('\n')
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("its answer ends, or has a head of more than %d KiB", HeadLimit>>10)
	}
	return begin, err
}
