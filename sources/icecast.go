package sources

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"stream-api/stream"
)

// icecast lists the mounts of an Icecast 2.4 or 2.5, or of icecast-kh.
//
// With credentials it reads /admin/stats, which stays well-formed whatever
// publishers call their streams and says how many bytes have come in. Without,
// or if they are refused, /status-json.xsl; where that has been removed, the
// /admin/publicstats.json of 2.5.
type icecast struct {
	web      *fetcher
	base     string
	pull     string
	user     string
	password string
	public   bool // /status-json.xsl is not there, /admin/publicstats.json is
	answers  merger
}

func (c *icecast) close() { c.web.close() }

func (c *icecast) list(ctx context.Context) (listing, error) {
	if c.user == "" && c.password == "" {
		return c.anonymous(ctx)
	}
	body, err := c.web.get(ctx, join(c.base, "/admin/stats"))
	if refused := (*statusError)(nil); errors.As(err, &refused) && refused.denied() {
		// A changed password must not blind a source that can be read
		// without one, nor end what only those who have it are shown.
		l, anonymousErr := c.anonymous(ctx)
		if anonymousErr != nil {
			return listing{}, err
		}
		l.warning = fmt.Sprintf("%v; reading the public list instead, which lacks hidden mounts (those known stay as they were) and the bytes that come in", err)
		return c.answers.part("public", l)
	}
	if err != nil {
		return listing{}, err
	}
	l, err := parsed(body, c.pull, parseIcecastXML)
	if err != nil {
		return listing{}, err
	}
	return c.answers.whole("admin", l), nil
}

func (c *icecast) anonymous(ctx context.Context) (listing, error) {
	web := *c.web
	web.user, web.password = "", ""
	if !c.public {
		body, err := web.get(ctx, join(c.base, "/status-json.xsl"))
		if missing := (*statusError)(nil); !errors.As(err, &missing) || missing.code != http.StatusNotFound {
			if err != nil {
				return listing{}, err
			}
			return parsed(body, c.pull, parseIcecastJSON)
		}
	}
	body, err := web.get(ctx, join(c.base, "/admin/publicstats.json"))
	if c.public = err == nil; !c.public {
		return listing{}, fmt.Errorf("%w; this Icecast has neither /status-json.xsl nor the public statistics of 2.5: give user and password, so that /admin/stats can be read", err)
	}
	return parsed(body, c.pull, parseIcecastPublic)
}

// icecastMount collects the fields of one mount that are of use. Both the
// JSON and the XML have the same names for them, and the same mount must give
// the same result from either.
type icecastMount struct {
	path string // of the mount, from listenurl or the mount attribute
	live bool   // a source is connected: unconnected relays are listed too
	m    stream.Mount
}

func newIcecastMount() icecastMount {
	return icecastMount{m: stream.Mount{Vars: make(map[string]string, 6), Bytes: -1}}
}

// set takes one field. Song titles, listeners and the like are left out: they
// change while the stream runs.
func (c *icecastMount) set(name, value string) {
	switch name {
	case "listenurl":
		if c.path == "" {
			c.path = mountPath(value)
		}
	case "server_type":
		c.live = true
		fact(c.m.Vars, "content_type", value)
	case "server_name":
		if value != "Unspecified name" {
			fact(c.m.Vars, "name", value)
		}
	case "server_description":
		if value != "Unspecified description" {
			fact(c.m.Vars, "description", value)
		}
	case "genre":
		if value != "various" {
			fact(c.m.Vars, "genre", value)
		}
	case "bitrate", "ice-bitrate":
		fact(c.m.Vars, "bitrate", value)
	case "stream_start_iso8601":
		c.live = true
		c.m.Session = cleanFact(value)
	case "stream_start":
		c.live = true
		if c.m.Session == "" {
			c.m.Session = cleanFact(value)
		}
	case "total_bytes_read":
		c.m.Bytes = wholeNumber(value)
	}
}

// wanted tells the fields set looks at, so that the others need not be read.
func (c *icecastMount) wanted(name string) bool {
	switch name {
	case "listenurl", "server_type", "server_name", "server_description", "genre", "bitrate",
		"ice-bitrate", "stream_start", "stream_start_iso8601", "total_bytes_read":
		return true
	}
	return false
}

// add ends a mount.
func (c *icecastMount) add(l *listing, pull string) error {
	c.m.Key = strings.TrimPrefix(c.path, "/")
	switch {
	case c.m.Key == "":
		l.unread("a mount without a name")
	case c.live:
		c.m.Vars["url"] = stream.PullURL(pull, c.path)
		return l.add(c.m)
	}
	return nil
}

// mountPath is the path of a listenurl. Its host is made of the configured
// <hostname>, often localhost, and says nothing.
func mountPath(listenurl string) string {
	_, rest, ok := strings.Cut(listenurl, "://")
	if !ok {
		return ""
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 || slash == len(rest)-1 {
		return ""
	}
	return rest[slash:]
}

// parseIcecastXML reads /admin/stats.
func parseIcecastXML(body []byte, pull string) (listing, error) {
	var l listing
	s := xmlScanner{b: body}
	err := s.document("icestats", func(t xmlToken) error {
		if t.name != "source" {
			return s.skip()
		}
		c := newIcecastMount()
		c.path = t.attr("mount")
		err := s.children(func(t xmlToken) error {
			if !c.wanted(t.name) {
				return s.skip()
			}
			text, err := s.text()
			c.set(t.name, strings.TrimSpace(text))
			return err
		})
		if err != nil {
			return err
		}
		return c.add(&l, pull)
	})
	if err != nil {
		return listing{}, err
	}
	return l.complete()
}
