package stream

// Why a pending slot waits, in one word for metrics; the reason is for people.
const (
	WhyFull      = "full"       // no service that may take it has a free seat
	WhyNeeds     = "needs"      // it waits for variables of other slots
	WhyCooldown  = "cooldown"   // it failed where it could run
	WhyPinned    = "pinned"     // its pin is what it waits for
	WhyNoService = "no-service" // nobody who is up offers it to this stream
	WhyOwnHost   = "host"       // it is one host's, which is not up
	WhyHold      = "hold"       // nothing is given now
	WhyOther     = "other"
)
