package stream

// Condition is how a slot does as a whole, all its instances taken together.
type Condition string

// The conditions that are somebody's business; an instance that runs may be fragile
// besides.
const (
	SlotDown     Condition = "down"     // nothing of it runs
	SlotDegraded Condition = "degraded" // some of what is wanted of it runs
	SlotFragile  Condition = "fragile"  // an instance runs, and would find no place if it had to start again
)

// SlotStatus is what becomes of a slot of a stream that is wanted.
type SlotStatus struct {
	Slot string
	Type string // of its service
	// Wanted is how many there are to be, and Running how many of them there are. An
	// instance and the one that is to follow it are one.
	Wanted, Running int
	// Instances are those that are not on their way out and do not wait for the one host
	// that may run them to come back, and Waiting those in whose
	// place nothing runs.
	Instances, Waiting []InstanceStatus
}

// Condition is what is to be said of it; empty: all that is wanted runs.
func (s SlotStatus) Condition() Condition {
	switch {
	case s.Running == 0:
		return SlotDown
	case s.Running < s.Wanted:
		return SlotDegraded
	}
	return ""
}

// Since is when it ceased to run as a whole, as far as its instances tell: when the
// last of them changed. Server ms.
func (s SlotStatus) Since() int64 {
	var since int64
	for _, v := range s.Waiting {
		since = max(since, v.Since)
	}
	return since
}

// place is what an instance and its successor share: the host it is for, or the number
// of the copy.
type place struct {
	host string
	copy int
}

func placeOf(v InstanceStatus) place {
	if i, err := ParseInstance(v.Instance); err == nil && i.Host != "" {
		return place{host: i.Host}
	}
	return place{copy: v.Copy}
}

// BySlot are the slots of the stream that have instances which are wanted, in the
// order of the chain.
func (s StreamStatus) BySlot() []SlotStatus {
	var out []SlotStatus
	for from := 0; from < len(s.Slots); {
		to := from + 1
		for to < len(s.Slots) && s.Slots[to].Slot == s.Slots[from].Slot {
			to++
		}
		if one := slotStatus(s.Slots[from:to]); one.Wanted > 0 {
			out = append(out, one)
		}
		from = to
	}
	return out
}

// slotStatus is that of the slot whose instances these are.
func slotStatus(all []InstanceStatus) SlotStatus {
	out := SlotStatus{Slot: all[0].Slot, Type: all[0].Type}
	runs := map[place]bool{}
	for _, v := range all {
		if v.State == Stopping || v.State == Pending && v.Code == CodeEachAway {
			continue // it ends, or its host is down, which is told once for all
		}
		out.Instances = append(out.Instances, v)
		runs[placeOf(v)] = runs[placeOf(v)] || v.Shown() == string(Running)
	}
	for _, v := range out.Instances {
		if !runs[placeOf(v)] {
			out.Waiting = append(out.Waiting, v)
		}
	}
	out.Wanted = len(runs)
	for _, running := range runs {
		if running {
			out.Running++
		}
	}
	return out
}

// Judge sets Down and Degraded by what the instances do.
func (s *StreamStatus) Judge() {
	s.Down, s.Degraded = nil, nil
	for _, v := range s.BySlot() {
		switch v.Condition() {
		case SlotDown:
			s.Down = append(s.Down, v.Slot)
		case SlotDegraded:
			s.Degraded = append(s.Degraded, v.Slot)
		}
	}
}
