package queue

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// MonitorOptions are the settings of asynqmon's page.
type MonitorOptions struct {
	// Root is the URL path that the handler is mounted at, such as
	// "/asynqmon"; it begins with '/'.
	Root string
	// Namespace is that of the servers which are woken by what is changed.
	Namespace string
	// ReadOnly refuses all that changes a queue or task.
	ReadOnly bool
}

// Monitor is asynqmon over rc, which the caller closes. It serves every
// namespace of that Redis. It has neither authentication nor a check against
// cross-site calls: mount it behind a gate that has both.
func Monitor(rc redis.UniversalClient, o MonitorOptions) http.Handler {
	page := asynqmon.New(asynqmon.Options{
		RootPath:         o.Root,
		RedisConnOpt:     sharedRedis{rc},
		ReadOnly:         o.ReadOnly,
		PayloadFormatter: asynqmon.PayloadFormatterFunc(formatPayload),
		ResultFormatter:  asynqmon.ResultFormatterFunc(formatResult),
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page.ServeHTTP(w, r)
		if queue, ok := changedQueue(r, o); ok {
			// asynqmon says nothing to servers: a resumed queue, or a task
			// that is to run again, would wait for the next look. Without
			// this hint it does.
			_ = wake(r.Context(), rc, o.Namespace, queue)
		}
	})
}

// changedQueue is the queue of the namespace that a request was to change.
func changedQueue(r *http.Request, o MonitorOptions) (queue string, ok bool) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return "", false
	}
	rest, ok := strings.CutPrefix(r.URL.Path, o.Root+"/api/queues/")
	if !ok {
		return "", false
	}
	queue, _, _ = strings.Cut(rest, "/")
	queue = strings.TrimSuffix(strings.TrimSuffix(queue, ":resume"), ":pause")
	_, slots := parseSlotQueue(o.Namespace, queue)
	return queue, slots || queue == eventQueueName(o.Namespace)
}

// sharedRedis hands asynqmon a client that exists, where it would make two of
// its own.
//
// It implements asynq.RedisConnOpt.
type sharedRedis struct{ client redis.UniversalClient }

// MakeRedisClient returns the client; nobody closes it.
func (s sharedRedis) MakeRedisClient() any { return s.client }

// shownKeys is how many keys of an event are named in asynqmon.
const shownKeys = 5

// formatPayload says in words what a task is about. What is not of our making
// is shown quoted, whatever its bytes.
func formatPayload(taskType string, payload []byte) string {
	if _, keys, err := decodeEvents(taskType, payload); err == nil {
		named := strings.Join(keys[:min(len(keys), shownKeys)], ", ")
		if more := len(keys) - shownKeys; more > 0 {
			return fmt.Sprintf("%s and %d more", named, more)
		}
		return named
	}
	c, err := decodeCommand(taskType, payload)
	if err != nil {
		return stream.Quote(string(payload))
	}
	which := ""
	if c.Verb == Start {
		which = " sending " + strconv.FormatInt(c.Sending, 10) + ","
	}
	// The token is last: asynqmon cuts a line at some fifty characters.
	return fmt.Sprintf("%s %s on %s,%s token %s", c.Key, c.Reservation.Instance, c.Host, which, c.Token)
}

// formatResult shows the text that the handler gave.
func formatResult(_ string, result []byte) string { return shown(string(result)) }
