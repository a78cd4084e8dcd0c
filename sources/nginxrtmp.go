package sources

import (
	"context"
	"strings"

	"stream-api/stream"
)

// nginxRTMP lists the streams of nginx with the rtmp module from its
// statistics page (rtmp_stat all). url is the page itself, such as
// http://ingest:8080/stat.
//
// Only the worker process that answers tells of its streams. Connections are
// not kept, so that every worker is asked in turn; the last answers of all are
// merged, and a warning says that worker_processes should be 1.
type nginxRTMP struct {
	web     *fetcher
	url     string
	pull    string
	workers merger
}

func (c *nginxRTMP) close() { c.web.close() }

func (c *nginxRTMP) list(ctx context.Context) (listing, error) {
	body, err := c.web.get(ctx, c.url)
	if err != nil {
		return listing{}, err
	}
	var worker string
	l, err := parsed(body, c.pull, func(body []byte, pull string) (listing, error) {
		l, pid, err := parseNginxRTMP(body, pull)
		worker = pid
		return l, err
	})
	if err != nil {
		return listing{}, err
	}
	if l, err = c.workers.part(worker, l); err != nil {
		return listing{}, err
	}
	if c.workers.several() {
		l.warning = "the page is answered by several nginx workers, each of which knows only its own streams, so that ends are seen late; set worker_processes 1"
	}
	return l, nil
}

// parseNginxRTMP reads the page and returns the answering worker's process id
// besides. A stream counts only while somebody publishes it: players waiting
// at a dead name make it listed too. Its key is app/name.
func parseNginxRTMP(body []byte, pull string) (listing, string, error) {
	var l listing
	var pid string
	s := xmlScanner{b: body}
	err := s.document("rtmp", func(t xmlToken) error {
		switch t.name {
		case "pid":
			text, err := s.text()
			pid = strings.TrimSpace(text)
			return err
		case "server":
			return s.children(func(t xmlToken) error {
				if t.name != "application" {
					return s.skip()
				}
				return readRTMPApplication(&s, &l, pull)
			})
		}
		return s.skip()
	})
	if err != nil {
		return listing{}, "", err
	}
	l, err = l.complete()
	return l, pid, err
}

// readRTMPApplication reads one application. Its name comes before its
// streams, but nothing promises that, so the names are joined at its end.
func readRTMPApplication(s *xmlScanner, l *listing, pull string) error {
	var app string
	var mounts []stream.Mount
	err := s.children(func(t xmlToken) (err error) {
		switch t.name {
		case "name":
			app, err = s.text()
			return err
		case "live":
			return s.children(func(t xmlToken) error {
				if t.name != "stream" {
					return s.skip()
				}
				m, publishing, err := readRTMPStream(s)
				if publishing && err == nil {
					mounts = append(mounts, m)
				}
				if len(mounts) > maxMounts {
					return errTooMany
				}
				return err
			})
		}
		return s.skip()
	})
	for _, m := range mounts {
		if m.Key == "" {
			l.unread("a stream without a name")
			continue
		}
		m.Key = join(strings.TrimSpace(app), m.Key)
		m.Vars["url"] = stream.PullURL(pull, m.Key)
		if err == nil {
			err = l.add(m)
		}
	}
	return err
}

func readRTMPStream(s *xmlScanner) (m stream.Mount, publishing bool, err error) {
	m = stream.Mount{Vars: make(map[string]string, 6), Bytes: -1}
	err = s.children(func(t xmlToken) (err error) {
		var text string
		switch t.name {
		case "name":
			m.Key, err = s.text()
			m.Key = strings.TrimSpace(m.Key)
		case "bytes_in", "in":
			text, err = s.text()
			m.Bytes = wholeNumber(strings.TrimSpace(text))
		case "publishing":
			publishing, err = true, s.skip()
		case "client":
			text, err = readRTMPPublisher(s)
			if text != "" {
				m.Session = text
			}
		case "meta":
			err = readRTMPMeta(s, m.Vars)
		default:
			err = s.skip()
		}
		return err
	})
	return m, publishing, err
}

// readRTMPPublisher is a client's connection number if it publishes.
func readRTMPPublisher(s *xmlScanner) (id string, err error) {
	publishing := false
	err = s.children(func(t xmlToken) (err error) {
		switch t.name {
		case "id":
			id, err = s.text()
		case "publishing":
			publishing, err = true, s.skip()
		default:
			err = s.skip()
		}
		return err
	})
	if !publishing {
		id = ""
	}
	return cleanFact(id), err
}

// readRTMPMeta reads <meta><video><width>…</video><audio>…</audio></meta>.
func readRTMPMeta(s *xmlScanner, vars map[string]string) error {
	names := map[string]string{
		"video width": "width", "video height": "height", "video frame_rate": "frame_rate",
		"video codec": "video_codec", "audio codec": "audio_codec",
	}
	return s.children(func(t xmlToken) error {
		kind := t.name
		return s.children(func(t xmlToken) error {
			name, ok := names[kind+" "+t.name]
			if !ok {
				return s.skip()
			}
			text, err := s.text()
			if text = strings.TrimSpace(text); text != "0" {
				fact(vars, name, text)
			}
			return err
		})
	})
}
