package sources

import (
	"context"
	"strings"

	"stream-api/stream"
)

// srtrelay lists the streams of an srtrelay by GET /streams. It freezes now
// and then; a deadline passed is an error like any other and means unknown.
type srtrelay struct {
	web  *fetcher
	base string
	pull string
}

func (c *srtrelay) close() { c.web.close() }

func (c *srtrelay) list(ctx context.Context) (listing, error) {
	body, err := c.web.get(ctx, join(c.base, "/streams"))
	if err != nil {
		return listing{}, err
	}
	return parsed(body, c.pull, parseSrtrelay)
}

// parseSrtrelay reads [{"name","url","clients","created"},…]. The url is made
// of the relay's own publicAddress; it is made anew from pull.
func parseSrtrelay(body []byte, pull string) (listing, error) {
	var l listing
	s := jsonScanner{b: body}
	entry := func() error {
		m := stream.Mount{Bytes: -1}
		ok, err := s.entry(&l, func(name []byte) (err error) {
			switch string(name) {
			case "name":
				m.Key, err = s.text()
			case "created":
				m.Session, err = s.text()
			default:
				err = s.skip()
			}
			return err
		})
		if err != nil || !ok {
			return err
		}
		if m.Key == "" {
			l.unread("a stream without a name")
			return nil
		}
		m.Session = cleanFact(m.Session)
		m.Vars = map[string]string{"url": srtrelayURL(pull, m.Key)}
		return l.add(m)
	}
	err := s.arrayOrNull(entry)
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return listing{}, err
	}
	return l.complete()
}

// srtrelayURL is where to pull a stream of a relay from, with pull such as
// srt://ingest:1337 or srt://ingest:1337?latency=500000. After play/ a second
// slash begins a password, so a name with a slash needs the other form, which
// the relay knows since 1.3. ffmpeg wants its # as it is.
func srtrelayURL(pull, name string) string {
	id := "play/" + name
	if strings.Contains(name, "/") {
		id = "#!::m=request,r=" + name
	}
	switch {
	case strings.Contains(pull, stream.PullPlace):
		return stream.PullURL(pull, name)
	case strings.Contains(pull, "?"):
		return pull + "&streamid=" + id
	}
	return pull + "?streamid=" + id
}

// entry reads one object of a list; anything else is counted as unreadable
// and passed over (ok is false), so that it harms no other entry.
func (s *jsonScanner) entry(l *listing, read func(name []byte) error) (ok bool, err error) {
	if s.peek() != '{' {
		l.unread("an entry that is no object")
		return false, s.skip()
	}
	return true, s.object(read)
}

// arrayOrNull reads a list; servers written in Go print an empty one as null.
func (s *jsonScanner) arrayOrNull(read func() error) error {
	if s.peek() == 'n' {
		if text := s.bare(); strings.TrimSpace(string(text)) == "null" {
			return nil
		}
		return s.unexpected("a list")
	}
	return s.array(read)
}
