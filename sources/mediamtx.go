package sources

import (
	"context"
	"fmt"
	"strings"

	"stream-api/stream"
)

// mediaMTX lists the paths of a MediaMTX by GET /v3/paths/list, page by page.
type mediaMTX struct {
	web  *fetcher
	base string
	pull string
}

// mediaMTXRows is the size of a page. The server's own default of 100 would
// mean a hundred requests for 10,000 paths.
const mediaMTXRows = 1000

// maxPages bounds what a server that invents pages can cost.
const maxPages = 200

func (c *mediaMTX) close() { c.web.close() }

func (c *mediaMTX) list(ctx context.Context) (listing, error) {
	var all listing
	for page := 0; page < maxPages; page++ {
		body, err := c.web.get(ctx, fmt.Sprintf("%s?itemsPerPage=%d&page=%d", join(c.base, "/v3/paths/list"), mediaMTXRows, page))
		if err != nil {
			return listing{}, err
		}
		pages := 0
		l, err := parsed(body, c.pull, func(body []byte, pull string) (listing, error) {
			l, n, err := parseMediaMTX(body, pull)
			pages = n
			return l, err
		})
		if err != nil {
			return listing{}, fmt.Errorf("page %d: %w", page, err)
		}
		if err := all.append(l, c.web.limit); err != nil {
			return listing{}, err
		}
		if page+1 >= pages {
			return all, nil
		}
	}
	return listing{}, fmt.Errorf("the list has more than %d pages; is this a MediaMTX", maxPages)
}

// append joins the pages of one answer, which together must keep the limit of
// a single one.
func (l *listing) append(page listing, limit int64) error {
	l.mounts = append(l.mounts, page.mounts...)
	l.bytes += page.bytes
	l.unreadable += page.unreadable
	if l.example == "" {
		l.example = page.example
	}
	switch {
	case int64(l.bytes) > limit:
		return errTooLarge(limit)
	case len(l.mounts) > maxMounts:
		return errTooMany
	}
	return nil
}

// parseMediaMTX reads one page and returns the number of pages. A path counts
// while it is available, which servers before 1.17 call ready, and online, if
// they say so: a path kept always available is not online while nobody
// publishes it, and one with a source of its own is online, but not available,
// while that source cannot be reached.
func parseMediaMTX(body []byte, pull string) (listing, int, error) {
	var l listing
	pages, found := 0, false
	s := jsonScanner{b: body}
	err := s.object(func(name []byte) error {
		switch string(name) {
		case "pageCount":
			n, err := s.integer()
			pages = int(min(max(n, 0), 1<<30))
			return err
		case "items":
			found = true
			return s.arrayOrNull(func() error { return readMediaMTXPath(&s, &l, pull) })
		}
		return s.skip()
	})
	if err == nil {
		err = s.end()
	}
	switch {
	case err != nil:
		return listing{}, 0, err
	case !found:
		return listing{}, 0, fmt.Errorf("the answer has no items: this is no /v3/paths/list of MediaMTX")
	}
	l, err = l.complete()
	return l, pages, err
}

func readMediaMTXPath(s *jsonScanner, l *listing, pull string) error {
	m := stream.Mount{Vars: make(map[string]string, 4), Bytes: -1}
	var ready, available, online string
	ok, err := s.entry(l, func(name []byte) (err error) {
		switch string(name) {
		case "name":
			m.Key, err = s.text()
		case "ready":
			ready, err = s.text()
		case "available":
			available, err = s.text()
		case "online":
			online, err = s.text()
		case "inboundBytes":
			m.Bytes, err = s.integer()
		case "bytesReceived": // before 1.16
			var n int64
			if n, err = s.integer(); m.Bytes < 0 {
				m.Bytes = n
			}
		case "source":
			err = readMediaMTXSource(s, &m)
		case "tracks":
			err = readMediaMTXTracks(s, &m)
		default:
			err = s.skip()
		}
		return err
	})
	if err != nil || !ok {
		return err
	}
	if m.Key == "" {
		l.unread("a path without a name")
		return nil
	}
	if available == "" {
		available = ready
	}
	if available == "true" && (online == "true" || online == "") {
		m.Vars["url"] = stream.PullURL(pull, m.Key)
		return l.add(m)
	}
	return nil
}

// readMediaMTXSource reads {"type","id"}: the id is that of the publisher's
// connection. Sources the server pulls itself have none.
func readMediaMTXSource(s *jsonScanner, m *stream.Mount) error {
	if s.peek() != '{' {
		return s.skip()
	}
	return s.object(func(name []byte) error {
		text, err := s.text()
		switch string(name) {
		case "type":
			fact(m.Vars, "source_type", text)
		case "id":
			m.Session = cleanFact(text)
		}
		return err
	})
}

// readMediaMTXTracks reads ["H264","MPEG-4 Audio"].
func readMediaMTXTracks(s *jsonScanner, m *stream.Mount) error {
	if s.peek() != '[' {
		return s.skip()
	}
	var codecs []string
	err := s.array(func() error {
		text, err := s.text()
		if text != "" && len(codecs) < 16 {
			codecs = append(codecs, text)
		}
		return err
	})
	fact(m.Vars, "codecs", strings.Join(codecs, ","))
	return err
}
