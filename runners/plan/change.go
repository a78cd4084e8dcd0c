package plan

// Reaction says what a change of its inputs does to a running child.
type Reaction string

// The reactions.
const (
	Restart Reaction = "restart"
	Ignore  Reaction = "ignore"
	Signal  Reaction = "signal" // of OnChange alone
)

// OnChange says what a changed environment does to a running child. Its zero value says nothing, which is restart.
type OnChange struct {
	Do Reaction
	// Signal is the one that the child is sent: HUP, USR1 or USR2; empty unless that is what is done.
	Signal string `yaml:"signal" validate:"oneof=HUP USR1 USR2"`
}

func (c OnChange) String() string {
	switch c.Do {
	case Signal:
		return "signal " + c.Signal
	case Ignore:
		return string(Ignore)
	}
	return string(Restart)
}

// onSource is what another source of the stream does: what is said of that, else of any change.
func (s *Service) onSource() Reaction {
	switch {
	case s.OnSourceChange != "":
		return s.OnSourceChange
	case s.OnChange.Do != "":
		return s.OnChange.Do
	}
	return Restart
}

// SourceChange is onSource for people.
func (s *Service) SourceChange() string {
	if s.OnSourceChange == "" {
		return s.OnChange.String()
	}
	return string(s.OnSourceChange)
}
