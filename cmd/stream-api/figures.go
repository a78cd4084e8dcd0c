package main

import "stream-api/web"

// figures are what the parts of the process count of themselves, for metrics.
func (p *process) figures() []web.Figure {
	var out []web.Figure
	add := func(name string, value float64, labels ...string) {
		out = append(out, web.Figure{Name: name, Value: value, Labels: labels})
	}
	if p.runner != nil {
		s := p.runner.Stats()
		add("slots_lost_total", float64(s.Lost))
		add("slots_given_up_total", float64(s.GaveUp))
		add("slot_starts_total", float64(s.Starts))
		add("child_restarts_total", float64(s.Restarts))
		for phase, n := range s.Held {
			add("host_slots", float64(n), string(phase))
		}
		if s.LeaseAge >= 0 {
			add("lease_age_seconds", s.LeaseAge.Seconds())
		}
		if len(p.cfg.Services) > 0 {
			read := 1.0
			if s.Queues != nil {
				read = 0
			}
			add("queue_read", read)
		}
	}
	if p.scheduler != nil {
		s, busy := p.scheduler.Stats(), 0.0
		if s.Seated {
			busy = 1
		}
		add("scheduler_busy", busy)
		for what, n := range map[string]uint64{"wanted": s.Wanted, "placed": s.Placed, "sent": s.Sent, "unclaimed": s.Unclaimed, "reaped": s.Reaped, "moved": s.Moved} {
			add("scheduler_done_total", float64(n), what)
		}
	}
	return out
}
