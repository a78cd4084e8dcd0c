package runners

import (
	"sync"
	"time"

	"stream-api/runners/plan"
)

// margin is how long before its end in the store a lease is no longer
// trusted: for a clock that runs off, and for what an end takes.
func margin(ttl time.Duration) time.Duration { return time.Second + ttl/10 }

// lease is what this host may believe of its lease. All times are those of
// supervisor.Now: nanoseconds of CLOCK_BOOTTIME. It reads no clock itself.
//
// The store counts a lease from the moment it takes a beat in. The host
// counts it from before it sent the beat, and less the margin, so that it
// stops trusting it before the store does, whatever the reply took.
type lease struct {
	window int64 // ttl − margin

	mu      sync.Mutex
	trusted int64 // until then nobody else can be given what this host holds
	kept    int64 // until then Keep children are fed though the store is away
	term    int   // counts registrations; 0: none yet
	last    int64 // when the latest good beat was sent; 0: none
	server  int64 // the store's clock at that beat, ms
	changed chan struct{}
}

func newLease(ttl time.Duration) *lease {
	return &lease{window: int64(ttl - margin(ttl)), changed: make(chan struct{})}
}

// renewed takes in a good beat that was sent at sent. A registration begins
// a new term: what was held before has to be confirmed anew.
func (l *lease) renewed(sent, server int64, registration bool) (term int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trusted, l.kept = sent+l.window, 0
	l.last, l.server = sent, server
	if registration {
		l.term++
	}
	l.tell()
	return l.term
}

// missed takes in that the store did not answer. Nobody can be placed while
// it is away and everyone gets time when it is back, so Keep children are
// fed on, but not before half of the trust is used up: a single lost reply
// promises nothing beyond the lease.
func (l *lease) missed(now int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trusted-now > l.window/2 {
		return
	}
	l.kept = now + l.window
	l.tell()
}

// lost takes in that this host's lease is over for good.
func (l *lease) lost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trusted, l.kept = 0, 0
	l.tell()
}

func (l *lease) tell() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// until is the trust in the present term, for a first start; 0: none.
func (l *lease) until() (deadline int64, term int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trusted, l.term
}

// feed is the deadline a running child may have, and a channel closed at the
// next change. confirmed is the term in which the store last said that the
// slot is this host's. 0: no word to be given.
func (l *lease) feed(mode plan.StoreLoss, confirmed int) (deadline int64, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case mode == plan.Keep:
		deadline = max(l.trusted, l.kept)
	case confirmed == l.term && confirmed > 0:
		deadline = l.trusted
	}
	return deadline, l.changed
}

// serverTime is the store's clock at now as this host reckons it, in ms; 0:
// unknown.
func (l *lease) serverTime(now int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server == 0 {
		return 0
	}
	return l.server + (now-l.last)/int64(time.Millisecond)
}

// age is the time since the latest good beat; false: there was none.
func (l *lease) age(now int64) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(now - l.last), l.last != 0
}

// next is closed at the next change.
func (l *lease) next() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}
