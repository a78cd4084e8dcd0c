package placement

// Plan makes the requests for one slot, in order until one of them is granted: all its
// candidates that are not known to have no room, at most so many at a time and those
// of a rank together if that can be. No request: nothing that it may have has room.
func Plan(s Instance, candidates []Candidate, known *Known, most int) (requests [][]Candidate) {
	if s.With != "" { // it goes where its target is, full or not, and the store knows where that is
		return chunks(candidates, most)
	}
	if only, otherwise := onlyHost(s); only != "" {
		requests = chunks(known.open(on(only, candidates)), most)
		if !otherwise {
			return requests
		}
	}
	return append(requests, chunks(known.open(candidates), most)...)
}

// on are the candidates for one host alone.
func on(host string, candidates []Candidate) []Candidate {
	var out []Candidate
	for _, c := range candidates {
		if c.Host == "" {
			out = append(out, Candidate{Rank: c.Rank, Class: c.Class, Host: host})
		}
	}
	return out
}

// chunks cuts between ranks where it can: of those in one request the least loaded
// gets the slot.
func chunks(candidates []Candidate, most int) (out [][]Candidate) {
	for len(candidates) > 0 {
		n := min(len(candidates), most)
		for cut := n; n < len(candidates) && cut > 0; cut-- {
			if candidates[cut-1].Rank != candidates[cut].Rank {
				n = cut
				break
			}
		}
		out = append(out, candidates[:n])
		candidates = candidates[n:]
	}
	return out
}
