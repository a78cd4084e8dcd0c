package stream

// WhyStatus is why an instance is where it is, or waits, as each host has it. Its JSON
// is a contract (`why -o json`).
type WhyStatus struct {
	Key      string `json:"key" show:"name"`
	Slot     string `json:"slot" show:"name"`
	Instance string `json:"instance" show:"name"`
	// Name is what people see of it: its slot while that has no other instance.
	Name  string `json:"name" show:"name"`
	Type  string `json:"type" show:"name"` // of the service
	State State  `json:"state"`
	Phase Phase  `json:"phase,omitempty"`
	Host  string `json:"host" show:"name"`
	Since int64  `json:"since"` // server ms, of State
	At    int64  `json:"at"`    // server ms, when this was so
	// Placed is when its host was chosen, server ms; Here why it left the one before, nil:
	// there was none.
	Placed int64 `json:"placed,omitempty"`
	Here   *Told `json:"here,omitempty"`
	// Told is why it waits, all hosts taken together, or what was said of it last.
	Told
	Hosts []WhyHost `json:"hosts"`
	// Do are commands that help, each with what it does.
	Do []WhyDo `json:"do"`
}

// WhyHost is what one host has to do with the instance. With no reason it has it, or
// room for it.
type WhyHost struct {
	Host   string            `json:"host" show:"name"`
	State  HostState         `json:"state"`
	Since  int64             `json:"since"` // server ms, of State
	Labels map[string]string `json:"labels,omitempty"`
	Has    bool              `json:"has"`
	Room   bool              `json:"room"` // it would take it
	Told
}

// WhyDo is a command for an operator.
type WhyDo struct {
	Command string `json:"command" show:"printable"`
	Does    string `json:"does"`
}
