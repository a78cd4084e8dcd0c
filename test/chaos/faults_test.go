package chaos

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"stream-api/internal/realrun"
)

// relist makes other streams live.
func (m *misfortune) relist() bool {
	var keys []string
	share := 0.3 + 0.6*m.rng.Float64()
	for i := range m.pool {
		if m.rng.Float64() < share {
			keys = append(keys, fmt.Sprintf("s%03d", i))
		}
	}
	m.listKeys(keys)
	return true
}

// crashSome kills some children.
func (m *misfortune) crashSome() bool {
	alive := m.watch.Alive()
	for range min(3, len(alive)) {
		l := alive[m.rng.IntN(len(alive))]
		var pid int
		if _, err := fmt.Sscan(l.PID, &pid); err != nil {
			m.t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
			m.t.Fatal(err)
		}
	}
	return len(alive) > 0
}

// runner ends a worker in some way; it comes back later.
func (m *misfortune) runner(end func(*realrun.Host), from, to int) bool {
	h := m.victim()
	if h == nil {
		return false
	}
	end(h)
	m.occupied(h)
	m.later(m.seconds(from, to), func() bool {
		h.Again()
		m.release(h)
		return true
	})
	return true
}

func (m *misfortune) freeze() bool {
	h := m.victim()
	if h == nil {
		return false
	}
	h.Signal(syscall.SIGSTOP)
	m.occupied(h)
	m.later(m.seconds(1, 12), func() bool {
		h.Signal(syscall.SIGCONT)
		m.release(h)
		return true
	})
	return true
}

// cut parts a worker from the store, which nothing else happens to meanwhile:
// without the store it could not hear what it lost.
func (m *misfortune) cut() bool {
	h := m.victim()
	if h == nil || time.Now().Before(m.storeAt) {
		return false
	}
	for i, w := range m.workers {
		if w != h {
			continue
		}
		m.ways[i].Cut()
		m.occupied(h)
		m.cuts = append(m.cuts, cut{host: h.Name, from: time.Now(), to: time.Now().Add(time.Hour)})
		at := len(m.cuts) - 1
		length := m.seconds(1, 10)
		m.storeAt = time.Now().Add(time.Hour)
		healed := false
		m.later(length, func() bool {
			if !healed {
				m.ways[i].Heal()
				healed = true
			}
			if !m.agrees(h.Name) {
				return false // it has not heard yet what others have now
			}
			m.cuts[at].to = time.Now()
			m.release(h)
			m.storeAt = time.Now().Add(settle)
			return true
		})
	}
	return true
}

// agrees tells whether the store says of every child of a host that it is there.
func (m *misfortune) agrees(host string) bool {
	m.t.Helper()
	records := m.instances()
	return !slices.ContainsFunc(m.watch.Alive(), func(l realrun.Life) bool {
		v := records[l.Stream]
		return l.Host == host && (v.Host != host || v.Token != l.Token)
	})
}

// leave has a worker leave or detach by itself; it comes back later.
func (m *misfortune) leave(sig syscall.Signal) bool {
	h := m.victim()
	if h == nil {
		return false
	}
	h.Signal(sig)
	m.occupied(h)
	m.later(m.seconds(0, 5), func() bool {
		if !h.Ended() {
			return false
		}
		h.Again()
		m.release(h)
		return true
	})
	return true
}

func (m *misfortune) reload() bool {
	h := m.victim()
	if h == nil || time.Now().Before(m.storeAt) {
		return false
	}
	h.Signal(syscall.SIGHUP)
	m.release(h)
	return true
}

// killScheduler kills one of the two that poll and decide. One is always left:
// with none, nobody remembers what an emptied store once knew.
func (m *misfortune) killScheduler() bool {
	h := m.others[m.rng.IntN(len(m.others))]
	for _, o := range m.others {
		if time.Now().Before(m.free[o]) {
			return false
		}
	}
	h.Kill()
	m.occupied(h)
	m.later(m.seconds(0, 6), func() bool {
		h.Again()
		m.free[h] = time.Now().Add(5 * time.Second) // until it has learned
		return true
	})
	return true
}

// storeFault begins a fault of the store, if none and no cut is near.
func (m *misfortune) storeFault(length time.Duration) bool {
	if time.Now().Before(m.storeAt) {
		return false
	}
	m.storeAt = time.Now().Add(length + settle)
	return true
}

func (m *misfortune) flush() bool {
	if !m.storeFault(0) {
		return false
	}
	if err := m.client.FlushAll(m.t.Context()).Err(); err != nil {
		m.t.Fatal(err)
	}
	return true
}

func (m *misfortune) storeDown() bool {
	length := m.seconds(1, 8)
	if !m.storeFault(length) {
		return false
	}
	m.redis.Kill()
	m.later(length, func() bool {
		m.redis.Start()
		m.storeAt = later(m.storeAt, time.Now().Add(settle))
		return true
	})
	return true
}

func (m *misfortune) storeFrozen() bool {
	length := m.seconds(1, 8)
	if !m.storeFault(length) {
		return false
	}
	m.redis.Freeze()
	m.later(length, func() bool {
		m.redis.Thaw()
		m.storeAt = later(m.storeAt, time.Now().Add(settle))
		return true
	})
	return true
}
