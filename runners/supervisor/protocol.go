package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"stream-api/internal/legible"
)

// The protocol: one JSON object a line, both ways, over a unix stream socket. The runner speaks first (hello), the
// supervisor answers with all it knows, then requests and events cross freely. A reply repeats the id of its request.
// Another major version is refused by either side; unknown fields are passed over, so that a minor version may add some.
const (
	ProtocolMajor = 1
	ProtocolMinor = 0

	maxMessage = 4 << 20 // bytes of one line
	maxSpec    = 1 << 20 // of it, bytes of a spec
)

type operation string

const (
	opHello   operation = "hello"
	opGo      operation = "go"
	opFeed    operation = "feed"
	opStop    operation = "stop"
	opEnd     operation = "end"
	opRestart operation = "restart"
	opChange  operation = "change"
	opKick    operation = "kick"
	opAway    operation = "away"
	opPace    operation = "pace"
	opStatus  operation = "status" // asked by tests, and by hand
)

// request is what a runner sends.
type request struct {
	ID       uint64        `json:"id"`
	Op       operation     `json:"op"`
	Major    int           `json:"major,omitempty"` // hello
	Minor    int           `json:"minor,omitempty"`
	Key      string        `json:"key,omitempty"`
	TTL      time.Duration `json:"ttl,omitempty"`
	Deadline int64         `json:"deadline,omitempty"` // go, feed
	Away     bool          `json:"away,omitempty"`
	Pace     time.Duration `json:"pace,omitempty"`
	Change   *Exec         `json:"change,omitempty"` // restart, change: what runs from then on
	Signal   string        `json:"signal,omitempty"` // change: what tells the child; empty: nothing does
}

// message is what a supervisor sends: one of a greeting, a reply, an event.
type message struct {
	Hello *greeting `json:"hello,omitempty"`
	Reply *reply    `json:"reply,omitempty"`
	Event *Event    `json:"event,omitempty"`
}

type greeting struct {
	Major int   `json:"major"`
	Minor int   `json:"minor"`
	Spec  Spec  `json:"spec"`
	State State `json:"state"`
}

type reply struct {
	ID       uint64 `json:"id"`
	Code     string `json:"code,omitempty"` // of an error; empty: done
	Text     string `json:"text,omitempty"`
	Deadline int64  `json:"deadline,omitempty"` // in force now, with go and feed
	State    *State `json:"state,omitempty"`    // status
}

// EventKind says which fields of an Event are set.
type EventKind string

const (
	EventStarted  EventKind = "started"  // PID, Attempt
	EventReady    EventKind = "ready"    // Text; once for each start, if the spec says how that is found out
	EventUnready  EventKind = "unready"  // Text: why it is not ready yet, when that changes
	EventExited   EventKind = "exited"   // Exit, Failures, Attempt; the tree is gone, post_stop is still to run
	EventFailing  EventKind = "failing"  // Failures: give_up_after is reached; again with each further failure
	EventVars     EventKind = "vars"     // Vars: the whole set
	EventProgress EventKind = "progress" // Progress; at most one a second, older ones are replaced by newer
	EventStalled  EventKind = "stalled"  // Text; an exited follows
	EventWarning  EventKind = "warning"  // Text
	EventDeadline EventKind = "deadline" // the deadline has passed and the tree is gone
	EventDone     EventKind = "done"     // End: post_stop has run, the supervisor goes
)

// Event is one thing that happened to the child.
type Event struct {
	Kind     EventKind         `json:"kind"`
	At       time.Time         `json:"at"`
	PID      int               `json:"pid,omitempty"`
	Attempt  int               `json:"attempt,omitempty"` // from 1
	Exit     *Exit             `json:"exit,omitempty"`
	Failures int               `json:"failures,omitempty"`
	Vars     map[string]string `json:"vars,omitempty"`
	Progress *Progress         `json:"progress,omitempty"`
	Text     string            `json:"text,omitempty"`
	End      *End              `json:"end,omitempty"`
}

// Errors that cross the socket.
var (
	// ErrVersion: the two sides speak different major versions.
	ErrVersion = errors.New("protocol version")
	// ErrEnding: the supervisor is on its way out and takes no such request.
	ErrEnding = errors.New("the supervisor is ending")
	// ErrRequest: the supervisor did not understand.
	ErrRequest = errors.New("bad request")
	// ErrKey: who says hello does not have the slot's key.
	ErrKey = errors.New("the key of this slot is missing or wrong")
	// ErrReplaced: another runner connected; this one no longer has the child.
	ErrReplaced = errors.New("another runner has taken over")
)

var codes = map[string]error{
	"lapsed": ErrLapsed, "no_go": ErrNoGo, "gone": ErrGone, "deadline": ErrDeadline,
	"version": ErrVersion, "ending": ErrEnding, "request": ErrRequest, "replaced": ErrReplaced, "key": ErrKey,
}

// refusal puts err into a reply.
func refusal(id uint64, err error) *reply {
	r := &reply{ID: id, Code: "failed", Text: err.Error()}
	for code, known := range codes {
		if errors.Is(err, known) {
			r.Code = code
		}
	}
	return r
}

// err gives back what refusal put in.
func (r *reply) err() error {
	if r.Code == "" {
		return nil
	}
	known, ok := codes[r.Code]
	if !ok {
		return errors.New(r.Text)
	}
	if r.Text == known.Error() {
		return known
	}
	return fmt.Errorf("%w: %s", known, r.Text)
}

// decodeRequest reads one line of a runner.
func decodeRequest(line []byte) (request, error) {
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return request{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	switch r.Op {
	case opHello, opStop, opEnd, opKick, opAway, opStatus:
	case opGo, opFeed:
		if r.Deadline <= 0 {
			return request{}, fmt.Errorf("%w: %s without a deadline", ErrRequest, r.Op)
		}
	case opRestart:
		if r.Change == nil {
			return request{}, fmt.Errorf("%w: a restart that does not say what to run", ErrRequest)
		}
	case opChange:
		if r.Change == nil || r.Signal != "" && !slices.Contains(changeSignals, r.Signal) {
			return request{}, fmt.Errorf("%w: a change that does not say what to run, or a signal that is not one of %v", ErrRequest, changeSignals)
		}
	case opPace:
		if r.Pace < 0 {
			return request{}, fmt.Errorf("%w: a negative pace", ErrRequest)
		}
	default:
		return r, fmt.Errorf("%w: unknown operation %q", ErrRequest, legible.Line(legible.Cut(string(r.Op), 40)))
	}
	return r, nil
}

// decodeMessage reads one line of a supervisor.
func decodeMessage(line []byte) (message, error) {
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		return message{}, fmt.Errorf("message of a supervisor: %w", err)
	}
	n := 0
	for _, there := range []bool{m.Hello != nil, m.Reply != nil, m.Event != nil} {
		if there {
			n++
		}
	}
	if n != 1 {
		return message{}, fmt.Errorf("message of a supervisor: %d parts, wanted one", n)
	}
	return m, nil
}

func encode(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(text) >= maxMessage {
		return nil, fmt.Errorf("message of %d bytes, at most %d can be sent", len(text), maxMessage)
	}
	return append(text, '\n'), nil
}

// knows refuses the other side's version unless it is spoken here.
func knows(major, minor int) error {
	if major != ProtocolMajor {
		return fmt.Errorf("%w: the other side speaks %d.%d, this one %d.%d; let the older one end first",
			ErrVersion, major, minor, ProtocolMajor, ProtocolMinor)
	}
	return nil
}
