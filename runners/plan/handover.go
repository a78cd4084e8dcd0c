package plan

import (
	"time"

	"stream-api/stream"
)

// Handover is how a slot leaves a host on a planned move: in which order, and how long nobody
// runs it in between. In a file it is a word, the order, or a map.
type Handover struct {
	Order stream.Handover `yaml:"order" validate:"oneof=stop_first start_first"`
	// Pause is the least time between the end of the old child and the start of the new one, for
	// what takes nothing of a second writer so soon; with stop_first alone.
	Pause time.Duration `yaml:"pause" validate:"gte=0s,lte=30s"`
}

// String is the order, and the pause if there is one.
func (h Handover) String() string {
	if h.Pause > 0 {
		return string(h.Order) + " after " + h.Pause.String()
	}
	return string(h.Order)
}
