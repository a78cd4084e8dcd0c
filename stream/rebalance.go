package stream

// Rebalancing is a move that would help. Its JSON is a contract (`rebalance -o json`).
type Rebalancing struct {
	Stream   string `json:"stream" show:"name"`
	Slot     string `json:"slot" show:"name"`
	Instance string `json:"instance" show:"name"`
	Name     string `json:"name" show:"name"` // what people see of it
	Copy     int    `json:"copy"`             // its number among the copies of its slot
	Type     string `json:"type" show:"name"` // of the service
	From     string `json:"from" show:"name"`
	To       string `json:"to" show:"name"`
	// Gap: its service stops it on From before it starts on To.
	Gap bool `json:"gap"`
	// Told is what it gains.
	Told
}
