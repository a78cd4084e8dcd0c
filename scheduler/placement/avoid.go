package placement

import "stream-api/stream"

// avoids tells whether the slot is kept off a host for now.
func (s Instance) avoids(host string) bool {
	_, avoided := s.Avoid[host]
	return avoided
}

// failure is what the slot cools down for: the reason with which it was given back.
// What was noted since carries it along; where that is lost, the last exit tells.
func failure(s Instance) stream.Reason {
	why, waited := s.Reason, false
	if why.Code == stream.CodeNotMoved {
		why, waited = why.Cause(), true
	}
	for why.Code.Waits() != stream.WhyOther && why.Code != stream.CodeOnHold {
		why, waited = why.Cause(), false
	}
	if waited || why.Code == stream.CodeOnHold {
		why = stream.Reason{} // why it was not moved, or not placed, is no failure
	}
	if why.IsZero() && s.Exit != "" {
		return stream.Because(stream.CodeExited, "exit", s.Exit)
	}
	return why
}
