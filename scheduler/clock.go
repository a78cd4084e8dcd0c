package scheduler

import "time"

// storeClock is one reading of the store's clock: now (ms) was true at some
// moment between sent and received. The zero value is no reading.
type storeClock struct {
	now            int64
	sent, received time.Time
}

// Of the comparison of two readings.
const (
	// clockSlack is what clocks may differ by without anybody stepping them.
	clockSlack = 500 * time.Millisecond
	// goodReading is how vague a reading may be to be kept: what it is vague
	// by hides a jump of as much.
	goodReading = 250 * time.Millisecond
)

// expect is the least the store's clock may say at a moment, ms; 0 without a
// reading.
func (c *storeClock) expect(at time.Time) int64 {
	if c.now == 0 {
		return 0
	}
	return c.now + at.Sub(c.received).Milliseconds()
}

// contradicts tells whether no delay on the way explains the other reading.
func (c *storeClock) contradicts(other storeClock) bool {
	slack := clockSlack.Milliseconds()
	earliest := c.now + other.sent.Sub(c.received).Milliseconds()
	latest := c.now + other.received.Sub(c.sent).Milliseconds()
	return other.now < earliest-slack || other.now > latest+slack
}

// learn keeps the newer of two readings that agree, unless it is vague.
func (c *storeClock) learn(other storeClock) {
	if c.now == 0 || other.received.Sub(other.sent) <= max(goodReading, c.received.Sub(c.sent)) {
		*c = other
	}
}
