package sources

import "fmt"

// parseIcecastJSON reads /status-json.xsl of 2.4 and 2.5. No mount: no
// "source"; one: an object; more: a list. Where the first of several fields is
// hidden by a custom sheet, 2.4 leaves out the opening bracket.
func parseIcecastJSON(body []byte, pull string) (listing, error) {
	var l listing
	s := jsonScanner{b: body}
	found := false
	mount := func() error { return readIcecastMount(&s, &l, pull) }
	err := s.object(func(name []byte) error {
		if string(name) != "icestats" {
			return s.skip()
		}
		found = true
		return s.unopened(func(name []byte) error {
			if string(name) != "source" {
				return s.skip()
			}
			if s.peek() == '[' {
				return s.array(mount)
			}
			return mount()
		})
	})
	if err == nil {
		err = s.end()
	}
	switch {
	case err != nil:
		return listing{}, err
	case !found:
		return listing{}, fmt.Errorf("the answer has no icestats: this is no status-json.xsl of Icecast")
	}
	return l.complete()
}

func readIcecastMount(s *jsonScanner, l *listing, pull string) error {
	if c := s.peek(); c != '{' && c != '"' {
		l.unread("a mount that is no object")
		return s.skip()
	}
	c := newIcecastMount()
	if err := s.unopened(func(name []byte) error { return readIcecastField(s, &c, name) }); err != nil {
		return err
	}
	return c.add(l, pull)
}

func readIcecastField(s *jsonScanner, c *icecastMount, name []byte) error {
	if !c.wanted(string(name)) {
		return s.skip()
	}
	text, err := s.text()
	c.set(string(name), text)
	return err
}

// unopened reads an object whose opening bracket may be missing.
func (s *jsonScanner) unopened(read func(name []byte) error) error {
	if s.peek() == '"' {
		return s.members(read)
	}
	return s.object(read)
}

// parseIcecastPublic reads /admin/publicstats.json and /admin/stats.json of
// 2.5: [{"name":"icestats",…},{"source":{"/mount":{…},…},…}]. Its renderer
// gives every mount the fields of the first one, so only what agrees with the
// mount's own name is believed, and facts that would come and go with another
// mount are left out altogether.
func parseIcecastPublic(body []byte, pull string) (listing, error) {
	var l listing
	s := jsonScanner{b: body}
	found := false
	document := func(name []byte) error {
		switch string(name) {
		case "source":
			if s.peek() != '{' {
				l.unread("sources that are no object")
				return s.skip()
			}
			return s.object(func(name []byte) error {
				return readPublicMount(&s, &l, unescape(name), pull)
			})
		case "server_id", "ns":
			found = true
		}
		return s.skip()
	}
	err := s.array(func() error {
		if s.peek() != '{' {
			return s.skip()
		}
		return s.object(document)
	})
	if err == nil {
		err = s.end()
	}
	switch {
	case err != nil:
		return listing{}, err
	case !found:
		return listing{}, fmt.Errorf("the answer is no list of statistics of Icecast 2.5")
	}
	return l.complete()
}

func readPublicMount(s *jsonScanner, l *listing, path, pull string) error {
	if s.peek() != '{' {
		l.unread("a mount that is no object")
		return s.skip()
	}
	c := newIcecastMount()
	if err := s.object(func(name []byte) error { return readIcecastField(s, &c, name) }); err != nil {
		return err
	}
	clear(c.m.Vars)
	if c.path != path {
		c.m.Session, c.m.Bytes, c.live = "", -1, true
	}
	c.path = path
	return c.add(l, pull)
}
