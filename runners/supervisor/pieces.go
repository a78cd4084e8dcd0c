package supervisor

import (
	"sync"
	"time"
)

// A line that has not ended is shown after firstPiece as far as it came, and while it grows again after twice as long, up
// to lastPiece: a child that prints dots shall be seen to print them, and one that overwrites its line for days shall not
// fill the log.
const (
	firstPiece = time.Second
	lastPiece  = 10 * time.Minute
)

// pieces is a cutter whose line need not end to be shown. The whole line is given at its end as ever.
type pieces struct {
	show func(text []byte)

	mu     sync.Mutex
	cutter *cutter
	after  time.Duration // until the next piece
	timer  *time.Timer   // nil: not running
	over   bool
}

func newPieces(c *cutter, show func(text []byte)) *pieces {
	p := &pieces{cutter: c, show: show, after: firstPiece}
	line := c.line
	c.line = func(text []byte, cut bool) {
		p.after = firstPiece // c is used under the lock only
		line(text, cut)
	}
	return p
}

func (p *pieces) write(text []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutter.write(text)
	switch {
	case len(p.cutter.held) == 0 && p.timer != nil:
		p.timer.Stop()
		p.timer = nil
	case len(p.cutter.held) > 0 && p.timer == nil:
		var timer *time.Timer
		timer = time.AfterFunc(p.after, func() { p.due(&timer) })
		p.timer = timer
	}
}

// due shows the piece, unless its timer was stopped too late.
func (p *pieces) due(timer **time.Timer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || p.timer != *timer {
		return
	}
	p.timer = nil
	p.after = min(2*p.after, lastPiece)
	p.show(p.cutter.held)
}

// flush gives what came after the last line's end, and ends the pieces.
func (p *pieces) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.cutter.flush()
}
