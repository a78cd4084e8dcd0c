package queue

import "sync"

// gate stands before a server's looks at its queues, in this process: it lets
// through those that can find something and holds the others back, so that a
// server at rest asks Redis nothing. asynq itself would ask for each queue
// every few milliseconds.
//
// A queue is due from the moment it is rung for until a look that began after
// the last ring found it empty. So a ring that comes while a look is on its way
// is never taken for answered, and a task that was enqueued before the ring is
// never missed.
//
// enter and found are called by asynq's one dequeueing goroutine, ring by
// anybody.
type gate struct {
	stop <-chan struct{} // closed when nothing is to be looked at any more
	rung chan struct{}   // holds one

	mu     sync.Mutex
	rings  map[string]uint64 // queue → how often it was rung for
	looked map[string]uint64 // queue → the rings that a look has answered
}

func newGate(stop <-chan struct{}, queues []string) *gate {
	g := &gate{stop: stop, rung: make(chan struct{}, 1), rings: map[string]uint64{}, looked: map[string]uint64{}}
	for _, q := range queues {
		g.rings[q] = 1 // what a server before this one left
	}
	return g
}

// ring makes queues due; none named means all. A name that is not the server's
// is passed over.
func (g *gate) ring(queues ...string) {
	g.mu.Lock()
	if len(queues) == 0 {
		for q := range g.rings {
			g.rings[q]++
		}
	}
	for _, q := range queues {
		if n, ours := g.rings[q]; ours {
			g.rings[q] = n + 1
		}
	}
	g.mu.Unlock()
	select {
	case g.rung <- struct{}{}:
	default: // whoever waits has one to hear
	}
}

// enter tells whether queue is to be looked at now, and which rings the look
// answers. While no queue is due it waits.
func (g *gate) enter(queue string) (due bool, answers uint64) {
	for {
		now, any, rings := g.due(queue)
		if any {
			return now, rings
		}
		select {
		case <-g.rung:
		case <-g.stop:
			return false, 0
		}
	}
}

func (g *gate) due(queue string) (due, any bool, rings uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for q, n := range g.rings {
		any = any || n > g.looked[q]
	}
	rings = g.rings[queue]
	return rings > g.looked[queue], any, rings
}

// empty says that a look which answers so many rings found the queue empty, or
// paused.
func (g *gate) empty(queue string, answers uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.looked[queue] = answers
}
