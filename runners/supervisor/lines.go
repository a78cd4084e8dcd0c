package supervisor

import "bytes"

// cutter takes bytes as they come and gives whole lines. A carriage return begins the line anew, as on a terminal, so that
// a progress display which overwrites itself a thousand times is one line at its end. A line longer than room is given
// once, marked as cut, and the rest of it is dropped.
type cutter struct {
	room int
	line func(text []byte, cut bool)

	held      []byte
	cut       bool
	overwrite bool // a carriage return came; what follows overwrites, unless it is the line's end
}

func (c *cutter) write(p []byte) {
	for len(p) > 0 {
		end := bytes.IndexAny(p, "\r\n")
		part := p
		if end >= 0 {
			part = p[:end]
		}
		if len(part) > 0 && c.overwrite {
			c.held, c.cut, c.overwrite = c.held[:0], false, false
		}
		take := min(len(part), c.room-len(c.held))
		c.held = append(c.held, part[:take]...)
		c.cut = c.cut || take < len(part)
		if end < 0 {
			return
		}
		if p[end] == '\r' {
			c.overwrite = true
		} else {
			c.line(c.held, c.cut)
			c.reset()
		}
		p = p[end+1:]
	}
}

// flush gives what came after the last line's end.
func (c *cutter) flush() {
	if len(c.held) > 0 {
		c.line(c.held, c.cut)
	}
	c.reset()
}

func (c *cutter) reset() {
	c.held, c.cut, c.overwrite = c.held[:0], false, false
	if cap(c.held) > 64<<10 {
		c.held = nil
	}
}
