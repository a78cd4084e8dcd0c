package supervisor

import "time"

// Restart says how a child that ended by itself is started again.
type Restart struct {
	Delay       time.Duration `json:"delay"`         // before the first restart; doubled for each one after it
	MaxDelay    time.Duration `json:"max_delay"`     // longest delay
	GiveUpAfter int           `json:"give_up_after"` // so many failures Within make the runner decide; 0: never
	Within      time.Duration `json:"within"`        // window of failures, and the time after which a child counts as well again
}

// failures is what the restart policy remembers between two exits. Its zero value is a fresh start. It is pure: exit in,
// state and delay out.
type failures struct {
	streak int             // restarts since the child last ran well; sets the delay
	times  []time.Duration // of the counted failures that lie within the window, oldest first
}

// ended is one end of a child, as the policy sees it.
type ended struct {
	at      time.Duration // on any clock that only goes forward
	ran     time.Duration // how long the child lived; 0 if it was never started
	counted bool          // false while the publisher is away: then it says nothing about the child
}

// verdict is what to do after an end.
type verdict struct {
	delay    time.Duration
	failures int  // counted ones within the window, this one included
	failing  bool // give_up_after is reached
}

// next takes one end into account. luck is a random number in [0,1) and spreads the delay over its upper half, so that
// children that died together do not come back together. pace is the least delay, 0 for none.
func (r Restart) next(f failures, e ended, pace time.Duration, luck float64) (failures, verdict) {
	if e.ran >= r.Within && r.Within > 0 {
		f.streak = 0
	}
	kept := make([]time.Duration, 0, len(f.times)+1)
	for _, at := range f.times {
		if e.at-at < r.Within {
			kept = append(kept, at)
		}
	}
	if e.counted {
		kept = append(kept, e.at)
	}
	// More than the threshold says nothing new, and a child that fails for a week must not fill the memory.
	if most := max(2*r.GiveUpAfter, 16); len(kept) > most {
		kept = kept[len(kept)-most:]
	}
	delay := r.Delay
	for i := 0; i < f.streak && delay < r.MaxDelay; i++ {
		delay *= 2
	}
	delay = min(delay, r.MaxDelay)
	delay = delay/2 + time.Duration(luck*float64(delay-delay/2))
	if delay < pace {
		delay = pace + time.Duration(luck*float64(pace/4))
	}
	f.streak++
	f.times = kept
	return f, verdict{
		delay:    delay,
		failures: len(kept),
		failing:  e.counted && r.GiveUpAfter > 0 && len(kept) >= r.GiveUpAfter,
	}
}

// fresh forgets the backoff but not the failures.
func (f failures) fresh() failures {
	f.streak = 0
	return f
}
