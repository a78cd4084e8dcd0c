package queue

import (
	"fmt"
	"regexp"
	"strings"

	"stream-api/stream"
)

// Service names a slot queue: what one host offers of one type.
type Service struct {
	Type string
	Host string
}

// eventQueue has no ':', so that no slot queue can have its name.
const eventQueue = "events"

// namespacePattern holds what asynqmon takes in the name of a queue: '/',
// '?', '#' and '%' break its URLs.
var namespacePattern = regexp.MustCompile(`^[A-Za-z0-9._:-]*$`)

// CheckNamespace says why s cannot prefix the names of queues, or nil.
func CheckNamespace(s string) error {
	if len(s) <= 64 && namespacePattern.MatchString(s) {
		return nil
	}
	return fmt.Errorf("%s is no namespace: up to 64 letters, digits, '.', '_', ':' and '-'", stream.Quote(s))
}

// Check says why the service can have no queue, or nil.
func (s Service) Check() error {
	if err := stream.CheckType(s.Type); err != nil {
		return err
	}
	return stream.CheckHost(s.Host)
}

// eventQueueName is the queue of events in a namespace.
func eventQueueName(namespace string) string { return namespace + eventQueue }

// slotQueueName is the queue of a service in a namespace.
func slotQueueName(namespace string, s Service) string {
	return namespace + s.Type + ":" + s.Host
}

// parseSlotQueue is the inverse of slotQueueName; false for the queue of
// events and for queues of others.
func parseSlotQueue(namespace, name string) (Service, bool) {
	rest, ok := strings.CutPrefix(name, namespace)
	if !ok {
		return Service{}, false
	}
	kind, host, ok := strings.Cut(rest, ":")
	s := Service{Type: kind, Host: host}
	return s, ok && s.Check() == nil
}
