package queue

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"stream-api/stream"
)

// Kind tells the two events apart.
type Kind string

// The kinds of events. Both only say: look at these keys again.
const (
	Appeared Kind = "appeared" // announced, or its announcement changed
	Gone     Kind = "gone"     // no longer announced
)

// Verb is what a slot command asks for.
type Verb string

// The verbs of slot commands.
const (
	Start  Verb = "start"  // claim the slot and run it
	Stop   Verb = "stop"   // end it and release it
	Update Verb = "update" // its variables may have changed
)

// Reservation names one reservation of an instance: what a command is about.
type Reservation struct {
	Key      string `json:"key"`
	Instance string `json:"instance"`
	Type     string `json:"type"`
	Host     string `json:"host"`
	Token    string `json:"token"`
	// Sending counts the sendings of a start; it makes each of them distinct.
	Sending int64 `json:"sending,omitempty"`
}

// Command is a slot command as its host receives it.
type Command struct {
	Verb Verb
	Reservation
}

// Types of tasks, as asynqmon shows them.
const (
	eventPrefix = "stream:"
	slotPrefix  = "slot:"
)

// wordPattern holds what a token is made of; it may not hold the '.' that parts
// an id.
var wordPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func isWord(s string) bool { return len(s) <= 128 && wordPattern.MatchString(s) }

// events is the payload of an event.
type events struct {
	Keys []string `json:"keys"`
}

// check says why the command is malformed, or nil.
func (c Command) check() error {
	switch c.Verb {
	case Start, Stop, Update:
	default:
		return fmt.Errorf("%s is no verb of a slot command", stream.Quote(string(c.Verb)))
	}
	if err := stream.CheckKey(c.Key); err != nil {
		return err
	}
	if err := stream.CheckInstance(c.Reservation.Instance); err != nil {
		return err
	}
	if err := (Service{Type: c.Type, Host: c.Host}).Check(); err != nil {
		return err
	}
	if !isWord(c.Token) {
		return fmt.Errorf("%s is no token", stream.Quote(c.Token))
	}
	if c.Sending < 0 {
		return fmt.Errorf("sending %d is negative", c.Sending)
	}
	return nil
}

// id is the task's id; see the package's comment. Sending and token hold no '.',
// and an instance begins with a letter, so that no two commands have one id.
func (c Command) id() string {
	parts := []string{string(c.Verb), stream.TaskKey(c.Key), c.Reservation.Instance, c.Token}
	if c.Verb == Start {
		parts = append(parts, strconv.FormatInt(c.Sending, 10))
	}
	return strings.Join(parts, ".")
}

// decodeCommand reads a task of a slot queue. Unknown fields are those of a
// newer version and are passed over.
func decodeCommand(taskType string, payload []byte) (Command, error) {
	verb, ok := strings.CutPrefix(taskType, slotPrefix)
	if !ok {
		return Command{}, fmt.Errorf("%s is no slot command", stream.Quote(taskType))
	}
	c := Command{Verb: Verb(verb)}
	if err := json.Unmarshal(payload, &c.Reservation); err != nil {
		return Command{}, fmt.Errorf("payload of %s: %w", taskType, err)
	}
	if err := c.check(); err != nil {
		return Command{}, fmt.Errorf("payload of %s: %w", taskType, err)
	}
	return c, nil
}

// decodeEvents reads a task of the queue of events.
func decodeEvents(taskType string, payload []byte) (Kind, []string, error) {
	name, ok := strings.CutPrefix(taskType, eventPrefix)
	kind := Kind(name)
	if !ok || kind != Appeared && kind != Gone {
		return "", nil, fmt.Errorf("%s is no event", stream.Quote(taskType))
	}
	var e events
	if err := json.Unmarshal(payload, &e); err != nil {
		return "", nil, fmt.Errorf("payload of %s: %w", taskType, err)
	}
	for _, key := range e.Keys {
		if err := stream.CheckKey(key); err != nil {
			return "", nil, fmt.Errorf("payload of %s: %w", taskType, err)
		}
	}
	return kind, e.Keys, nil
}
