package scheduler

import (
	"strings"
	"sync"
	"testing"
	"time"

	"stream-api/stream"
)

// lines is a log that a test reads.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), message)
}

func TestOutageIsToldOnceAndWorkGoesOnAfterIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, "--appendonly", "yes", "--appendfsync", "always")
	log := &lines{}
	r.log = log
	a := r.host("a", offerOf("record", 5, stream.Class{}))
	s, _ := r.run(newFleet(a), Options{})
	r.add("s1", stream.Announcement{Chain: []string{"record"}})
	v := r.awaitState("s1", "record", stream.Running)
	const down, up = "the scheduler cannot work", "the scheduler works again"
	r.redis.Stop()
	r.await("the outage is not told", func() bool { return log.count(down) == 1 })
	// As many failed tries as seven loops make in two beats.
	began := time.Now()
	r.await("two beats have not passed", func() bool { return time.Since(began) > 500*time.Millisecond })
	r.redis.Start()
	r.await("its end is not told", func() bool { return log.count(up) == 1 })
	if n := log.count(down); n != 1 {
		t.Errorf("told %d times; want once", n)
	}
	r.add("s2", stream.Announcement{Chain: []string{"record"}})
	r.awaitState("s2", "record", stream.Running)
	if now := r.instance("s1", "record"); now.Token != v.Token || now.State != stream.Running {
		t.Errorf("s1 is %s under %s; want it untouched under %s", now.State, now.Token, v.Token)
	}
	if !s.Stats().Seated {
		t.Error("the seat was lost")
	}
}
