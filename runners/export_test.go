package runners

// Registered is closed once the store has accepted this life of the host.
func (r *Runner) Registered() <-chan struct{} { return r.registered }

// Held is one slot as this host has it.
type Held struct {
	Stream, Instance, Token string
	Phase                   Phase
	Place                   int
}

// Slots lists what this host has.
func (r *Runner) Slots() []Held {
	out := []Held{}
	for _, h := range r.all() {
		h.mu.Lock()
		out = append(out, Held{Stream: h.res.Key, Instance: h.res.Instance, Token: h.token, Phase: h.phase, Place: h.memo.Place})
		h.mu.Unlock()
	}
	return out
}
