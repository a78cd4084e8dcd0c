package placement

// Request asks for a place for one slot in some classes.
type Request struct {
	Only       string // the one host that may take it; empty: any
	Candidates []Candidate
}

// Search is one instance's way through the store: requests that are sent in order
// until one of them is granted.
type Search struct {
	Requests []Request
	// exact: a refusal says that the classes are full for everybody, as no
	// host was left out for this slot's own reasons.
	exact bool
}

// Plan makes the requests for one slot: all its candidate classes that are not
// known to be full, at most so many at a time. No request: nothing that it may
// have has room.
func Plan(s Instance, candidates []Candidate, full map[string]bool, most int) Search {
	a := Search{exact: len(s.Avoid) == 0 && s.Apart == ""}
	if only, otherwise := onlyHost(s); only != "" {
		a.exact = false
		a.add(only, candidates, most)
		if !otherwise {
			return a
		}
	}
	open := make([]Candidate, 0, len(candidates))
	for _, c := range candidates {
		if !full[c.Class] {
			open = append(open, c)
		}
	}
	a.add("", open, most)
	return a
}

func (a *Search) add(only string, candidates []Candidate, most int) {
	for len(candidates) > 0 {
		n := min(len(candidates), most)
		a.Requests = append(a.Requests, Request{Only: only, Candidates: candidates[:n]})
		candidates = candidates[n:]
	}
}

// Learn notes what it proves that the i-th request was refused for want of room:
// that its classes are full for all who come later, if no host was left out.
func (a Search) Learn(i int, full map[string]bool) {
	if !a.exact || a.Requests[i].Only != "" {
		return
	}
	for _, c := range a.Requests[i].Candidates {
		full[c.Class] = true
	}
}
