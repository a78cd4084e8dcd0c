package stream

import "fmt"

// Status is the whole picture: what runs where, and why something does not.
// Its JSON is a contract (`status -o json`, /api/v1/status). Times are
// milliseconds of the store's clock since the Unix epoch; 0 means never.
type Status struct {
	At   int64       `json:"at"`
	Hold *HoldStatus `json:"hold,omitempty"`
	// Refused are hosts that Redis refused something within the last seconds.
	Refused []RefusedStatus `json:"refused,omitempty"`
	// Troubles are what hosts lack, said within the last seconds, that keeps none of their slots from running.
	Troubles []TroubleStatus `json:"troubles,omitempty"`
	Streams  []StreamStatus  `json:"streams"`
	Hosts    []HostStatus    `json:"hosts"`
	Sources  []SourceStatus  `json:"sources"`
	// Fragile are the instances that run and would find no place if they had to start
	// again.
	Fragile []FragileStatus `json:"fragile,omitempty"`
	// Jobs counts what is to be done after what has ended; absent: nothing is.
	Jobs *JobsStatus `json:"jobs,omitempty"`
	// Aside are the keys that a hand made another type.
	Aside []OddKey `json:"aside,omitempty"`
}

// FragileStatus is an instance that runs and would find no place if it had to start
// again, as what its host's file says was changed, say.
type FragileStatus struct {
	Stream   string `json:"stream" show:"name"`
	Slot     string `json:"slot" show:"name"`
	Instance string `json:"instance" show:"name"`
	Name     string `json:"name" show:"name"` // what people see of it
	Type     string `json:"type" show:"name"` // of the service
	Host     string `json:"host" show:"name"`
	// Told is the reason that it would have for waiting.
	Told
}

// OddKey is a key of the store that a hand made another type; types are as Redis
// names them. What it should hold is made anew, and what it held lies under Aside
// for a week, or until that is deleted; empty: it has not been set aside yet.
type OddKey struct {
	Key    string `json:"key"`
	Was    string `json:"was"`
	Should string `json:"should"`
	Aside  string `json:"aside"`
}

// HoldStatus says that nothing is taken or given, until when and why.
type HoldStatus struct {
	Until int64 `json:"until"`
	Told
	// Refuses is what Redis answers to whoever writes, if that is the reason: oom,
	// misconf, readonly, noreplicas.
	Refuses string `json:"refuses,omitempty"`
}

// RefusedStatus is one host that Redis refused something.
type RefusedStatus struct {
	Host   string `json:"host" show:"printable"`
	At     int64  `json:"at"`
	What   string `json:"what"`   // the operation, such as claim
	Word   string `json:"word"`   // names the answer: noperm, unknown-command
	Answer string `json:"answer"` // of Redis
	Do     string `json:"do"`
}

// TroubleStatus is what one host lacks, such as the address of its page.
type TroubleStatus struct {
	Host string `json:"host"`
	At   int64  `json:"at"`
	What string `json:"what"`
	Do   string `json:"do"`
}

// StreamStatus is one stream with its slots in chain order.
type StreamStatus struct {
	Key    string   `json:"key" show:"name"`
	Source string   `json:"source" show:"name"`
	Chain  []string `json:"chain" show:"name"`
	// Items are what the chain says of slots besides their names, by slot.
	Items    Items `json:"items,omitempty"`
	Priority int   `json:"priority"`
	// SwitchedOn and SwitchedOff are slots that an operator switched.
	SwitchedOn  []string `json:"switched_on,omitempty" show:"name"`
	SwitchedOff []string `json:"switched_off,omitempty" show:"name"`
	Held        bool     `json:"held,omitempty"`
	// Told is why it has no slots, or does not read.
	Told
	Vars map[string]string `json:"vars"`
	// Labels say where its source stands.
	Labels map[string]string `json:"labels,omitempty"`
	Slots  []InstanceStatus  `json:"slots"`
	// Down are the slots of which nothing runs, Degraded those of which some of what is
	// wanted runs.
	Down     []string `json:"down,omitempty" show:"name"`
	Degraded []string `json:"degraded,omitempty" show:"name"`
}

// InstanceStatus is one instance of a slot of a stream.
type InstanceStatus struct {
	Slot     string `json:"slot" show:"name"`
	Instance string `json:"instance" show:"name"`
	// Name is what people see of it: its slot while that has no other instance.
	Name string `json:"name" show:"name"`
	Type string `json:"type" show:"name"` // of the service
	// Lead: what it publishes is what the slot says to the others of its stream.
	Lead  bool  `json:"lead"`
	Copy  int   `json:"copy"` // its number among the copies of its slot, from 1
	State State `json:"state"`
	// Phase is starting, unready or failing while a running slot has no child, one
	// whose output is not there yet, or one that keeps failing; empty otherwise.
	Phase Phase  `json:"phase,omitempty"`
	Host  string `json:"host" show:"name"`
	Token string `json:"token" show:"name"`
	// Since is when it came into its state, or its child began or ceased to run.
	Since int64 `json:"since"`
	// Restarts counts the starts of its child after the first, and those that
	// came to nothing.
	Restarts int `json:"restarts"`
	Told
	// Placed is when its host was chosen, server ms; 0: it has none. Here is why it left the
	// one before; nil: there was none.
	Placed int64 `json:"placed,omitempty"`
	Here   *Told `json:"here,omitempty"`
	// Vars are what it published; of who leads, what the slot says.
	Vars map[string]string `json:"vars"`
	// Exit and Stderr describe the last failure: "exit 1" or "signal 9",
	// and up to five masked lines.
	Exit   string   `json:"exit,omitempty"`
	Stderr []string `json:"stderr,omitempty"`
	// Speed and FPS are what the child's ffmpeg last said, if it did.
	Speed string `json:"speed,omitempty"`
	FPS   string `json:"fps,omitempty"`
	// Stale: the child runs with an environment that would now differ.
	Stale bool `json:"stale,omitempty"`
	// Near is how near it is to each of what its item wishes it to be near to, and that has
	// a place: host, site, region or far.
	Near map[string]string `json:"near,omitempty"`
	// Together are the copies that it is apart from and shares a host with, or the value of the
	// label by which they are apart; absent: none.
	Together *TogetherStatus `json:"together,omitempty"`
	// With is the slot whose sidecar it is.
	With string `json:"with,omitempty" show:"name"`
	// Pin is the host on which an operator keeps the slot.
	Pin string `json:"pin,omitempty" show:"printable"`
}

// TogetherStatus says with which copies an instance is that it should be apart from. By is the operator who had it
// so; empty: nobody, and one of them moves as soon as another host has room.
type TogetherStatus struct {
	With []string `json:"with" show:"name"` // as people see them
	By   string   `json:"by,omitempty"`
}

// Shown is the state in one word for people and metrics: the phase of a
// running slot that has one, else the state. One that is unready starts still.
func (s InstanceStatus) Shown() string {
	switch {
	case s.State != Running || s.Phase == Runs:
		return string(s.State)
	case s.Phase == Unready:
		return string(Starting)
	}
	return string(s.Phase)
}

// HostStatus is one host and what it offers.
type HostStatus struct {
	Host    string    `json:"host" show:"name"`
	State   HostState `json:"state"`
	Since   int64     `json:"since"`    // server ms, of State
	LeaseMS int64     `json:"lease_ms"` // until its lease ends; negative: lapsed
	// Left: it is down because it was told to end, and held nothing any more.
	Left    bool   `json:"left,omitempty"`
	URL     string `json:"url,omitempty"`
	Version string `json:"version,omitempty"`
	// Lacks is what its file asks for and does not hold there; empty: nothing.
	Lacks string `json:"lacks,omitempty"`
	// Layouts of the store's keys that it speaks: 2, or 2-3.
	Layouts string `json:"layouts,omitempty"`
	// Labels are what its file says of it: where it stands, what it has.
	Labels map[string]string `json:"labels,omitempty"`
	// Pools are what its services share, in the order of their names.
	Pools    []PoolStatus    `json:"pools,omitempty"`
	Services []ServiceStatus `json:"services"`
}

// PoolStatus is what a pool of a host has, and what the slots there take of it: more
// than it has, if its size or what they use was changed, or what ran there was told again.
type PoolStatus struct {
	Pool string `json:"pool" show:"name"`
	Size Amount `json:"size"`
	Used Amount `json:"used"`
}

// ServiceStatus is one service of a host.
type ServiceStatus struct {
	Type     string `json:"type" show:"name"`
	Capacity *int   `json:"capacity"` // null: no limit
	Used     int    `json:"used"`
	// Uses is what one slot takes of the host's pools.
	Uses   Amounts `json:"uses,omitempty" show:"name"`
	Filter string  `json:"filter" show:"printable"`
	// Needs are the variables of other slots that its slots wait for, such as dist:url.
	Needs string    `json:"needs,omitempty" show:"name"`
	State HostState `json:"state"`
	URL   string    `json:"url,omitempty"`
	// Told is why the service takes nothing although it is up, as nonsense in its
	// hash, or that its check fails.
	Told
}

// Takes tells whether it takes slots, as far as it is not full: it and its host are up,
// and nothing keeps it from that. A check that is not heeded does not.
func (s ServiceStatus) Takes(h HostState) bool {
	return h == Up && s.State == Up && (s.Reason == "" || s.Code == CodeCheckIgnored)
}

// RulesStatus is which rules of a source are in force: its version, the host whose file they are of, and since when.
type RulesStatus struct {
	Version int64  `json:"version"`
	By      string `json:"by" show:"name"`
	At      int64  `json:"at"`
}

// String says whose they are: v2 of ber.
func (r RulesStatus) String() string { return fmt.Sprintf("v%d of %s", r.Version, r.By) }

// DifferingFile is a host whose file does not say what is in force: it announces by what is. What says in words what its
// file would change. Refused says why it announces nothing at all, and is empty if it does.
type DifferingFile struct {
	Host    string `json:"host" show:"name"`
	Since   int64  `json:"since"`
	What    string `json:"what"`
	Refused string `json:"refused,omitempty"`
}

// SourceStatus is one source and what it last said.
type SourceStatus struct {
	Name     string      `json:"name" show:"name"`
	State    SourceState `json:"state"`
	LastGood int64       `json:"last_good"`
	Streams  int         `json:"streams"`
	Error    string      `json:"error"`
	// Rules are those in force; absent: nobody announced by any yet, or they were added by hand.
	Rules *RulesStatus `json:"rules,omitempty"`
	// Differs are the hosts that poll it whose files do not say what is in force.
	Differs []DifferingFile `json:"differs,omitempty"`
	// Expect lists streams the operator said should be there.
	Expect []string `json:"expect,omitempty" show:"name"`
	// Refused counts mounts refused for their names, with one example.
	Refused int    `json:"refused,omitempty"`
	Example string `json:"example,omitempty"`
	// Over counts new streams that are refused, as the source announces Max, which
	// is as many as it may; with one of them.
	Over        int    `json:"over,omitempty"`
	OverExample string `json:"over_example,omitempty" show:"name"`
	Max         int    `json:"max,omitempty"`
	// Stalled lists streams that are listed but whose bytes do not grow.
	Stalled []string `json:"stalled,omitempty" show:"name"`
	// Warning is something to mend that does not stop the source: refused
	// credentials, say.
	Warning string `json:"warning,omitempty"`
}
