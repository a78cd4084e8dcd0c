package sources

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"stream-api/stream"
)

// srs lists the streams of an SRS by GET /api/v1/streams/ (without the last
// slash it answers a redirect).
type srs struct {
	web  *fetcher
	base string
	pull string
}

// srsRows is the size of a page; without one the server tells of ten streams
// only.
const srsRows = 1000

func (c *srs) close() { c.web.close() }

func (c *srs) list(ctx context.Context) (listing, error) {
	var all listing
	seen := make(map[string]bool)
	for page := range maxPages {
		body, err := c.web.get(ctx, fmt.Sprintf("%s?start=%d&count=%d", join(c.base, "/api/v1/streams/"), page*srsRows, srsRows))
		if err != nil {
			return listing{}, err
		}
		var ids []string
		l, err := parsed(body, c.pull, func(body []byte, pull string) (listing, error) {
			l, rows, err := parseSRS(body, pull)
			ids = rows
			return l, err
		})
		if err != nil {
			return listing{}, err
		}
		// A server that ignores start would repeat its first page for ever.
		known := len(seen)
		for _, id := range ids {
			seen[id] = true
		}
		if page > 0 && len(seen) == known {
			return all, nil
		}
		if err := all.append(l, c.web.limit); err != nil {
			return listing{}, err
		}
		if len(ids) < srsRows {
			return all, nil
		}
	}
	return listing{}, fmt.Errorf("more than %d streams are listed; is this an SRS", maxPages*srsRows)
}

// parseSRS reads one page and returns the ids of all its rows, live or not.
// Ended streams linger with publish.active false.
func parseSRS(body []byte, pull string) (listing, []string, error) {
	var l listing
	var ids []string
	var code string
	found := false
	s := jsonScanner{b: body}
	err := s.object(func(name []byte) (err error) {
		switch string(name) {
		case "code":
			code, err = s.text()
			return err
		case "streams":
			found = true
			return s.arrayOrNull(func() error {
				id, err := readSRSStream(&s, &l, pull)
				if ids = append(ids, id); len(ids) > maxMounts {
					return errTooMany
				}
				return err
			})
		}
		return s.skip()
	})
	if err == nil {
		err = s.end()
	}
	switch {
	case err != nil:
		return listing{}, nil, err
	case code != "0":
		return listing{}, nil, fmt.Errorf("SRS answers error code %s; is its HTTP API enabled and open to this host", stream.Quote(code))
	case !found:
		return listing{}, nil, errors.New("the answer has no streams: this is no /api/v1/streams/ of SRS")
	}
	l, err = l.complete()
	return l, ids, err
}

func readSRSStream(s *jsonScanner, l *listing, pull string) (id string, err error) {
	m := stream.Mount{Vars: make(map[string]string, 6), Bytes: -1}
	var name, app, path, active string
	ok, err := s.entry(l, func(field []byte) (err error) {
		switch string(field) {
		case "id":
			id, err = s.text()
		case "name":
			name, err = s.text()
		case "app":
			app, err = s.text()
		case "url":
			path, err = s.text()
		case "recv_bytes":
			m.Bytes, err = s.integer()
		case "publish":
			err = s.fields(func(field, text string) {
				switch field {
				case "active":
					active = text
				case "cid":
					m.Session = cleanFact(text)
				}
			})
		case "video":
			err = s.fields(func(field, text string) {
				switch field {
				case "codec":
					fact(m.Vars, "video_codec", text)
				case "width", "height":
					if text != "0" {
						fact(m.Vars, field, text)
					}
				}
			})
		case "audio":
			err = s.fields(func(field, text string) {
				if field == "codec" {
					fact(m.Vars, "audio_codec", text)
				}
			})
		default:
			err = s.skip()
		}
		return err
	})
	if err != nil || !ok || active != "true" {
		return id, err
	}
	// url is /app/name for the default vhost, vhost/app/name for another;
	// servers before 5 do not tell it.
	vhost := ""
	switch {
	case path == "" && name != "" && app != "":
		m.Key = app + "/" + name
	case strings.HasPrefix(path, "/"):
		m.Key = path[1:]
	default:
		m.Key = path
		vhost, path, _ = strings.Cut(path, "/")
	}
	if m.Key == "" {
		l.unread("a stream without a name")
		return id, nil
	}
	if vhost == "" {
		m.Vars["url"] = stream.PullURL(pull, m.Key)
		return id, l.add(m)
	}
	mark := "?"
	if strings.Contains(pull, "?") {
		mark = "&"
	}
	m.Vars["url"] = stream.PullURL(pull, path) + mark + "vhost=" + vhost
	fact(m.Vars, "vhost", vhost)
	return id, l.add(m)
}

// fields reads an object's scalars; what is no object has none.
func (s *jsonScanner) fields(read func(name, text string)) error {
	if s.peek() != '{' {
		return s.skip()
	}
	return s.object(func(name []byte) error {
		text, err := s.text()
		read(string(name), text)
		return err
	})
}
