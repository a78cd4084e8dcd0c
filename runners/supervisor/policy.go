package supervisor

import "time"

// Restart says how a child that ended by itself is started again.
type Restart struct {
	// Delay is before the first restart; it is doubled for each one after it, up to MaxDelay.
	Delay    time.Duration `json:"delay" yaml:"delay" validate:"gte=10ms,lte=1h"`
	MaxDelay time.Duration `json:"max_delay" yaml:"max_delay" validate:"gte=10ms,lte=1h"`
	// GiveUpAfter so many failures Within the runner decides; 0: never.
	GiveUpAfter int `json:"give_up_after" yaml:"give_up_after" validate:"gte=0,lte=1000"`
	// Within is the window of failures, and the time after which a child counts as well again.
	Within time.Duration `json:"within" yaml:"within" validate:"gte=1s,lte=24h"`
}

// Failures is what the restart policy remembers between two ends. Its zero value is a fresh start.
type Failures struct {
	streak int             // restarts since the child last ran well; sets the delay
	times  []time.Duration // of the counted failures that lie within the window, oldest first
}

// Ended is one end of a child, or a start that came to nothing, as the policy sees it.
type Ended struct {
	At      time.Duration // on any clock that only goes forward
	Ran     time.Duration // how long the child lived; 0 if it was never started
	Counted bool          // false while the publisher is away: then it says nothing about the child
}

// Backoff is what to do after an end.
type Backoff struct {
	Delay    time.Duration
	Failures int  // counted ones within the window, this one included
	Failing  bool // give_up_after is reached
}

// Next takes one end into account. It is pure: an end in, what to remember and what to do out. luck is a random number in [0,1) and spreads the delay over its upper half, so that
// children that died together do not come back together. pace is the least delay, 0 for none.
func (r Restart) Next(f Failures, e Ended, pace time.Duration, luck float64) (Failures, Backoff) {
	if e.Ran >= r.Within && r.Within > 0 {
		f.streak = 0
	}
	kept := make([]time.Duration, 0, len(f.times)+1)
	for _, at := range f.times {
		if e.At-at < r.Within {
			kept = append(kept, at)
		}
	}
	if e.Counted {
		kept = append(kept, e.At)
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
	return f, Backoff{
		Delay:    delay,
		Failures: len(kept),
		Failing:  e.Counted && r.GiveUpAfter > 0 && len(kept) >= r.GiveUpAfter,
	}
}

// fresh forgets the backoff but not the failures.
func (f Failures) fresh() Failures {
	f.streak = 0
	return f
}
