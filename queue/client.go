package queue

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

const (
	// taskTimeout ends a handler that hangs; what handlers do takes
	// milliseconds. asynq takes whole seconds, and 0 for half an hour.
	taskTimeout = 30 * time.Second
	// Results stay this long for whoever looks into asynqmon.
	slotRetention  = 10 * time.Minute
	eventRetention = time.Minute

	// eventKeys bounds the keys of one event, and so its payload: 26 kB.
	eventKeys = 100
	// eventBacklog bounds the events that wait while nobody reads them.
	eventBacklog = 1000

	// asynq's client remembers which queues it has listed in Redis, and so
	// never lists them again after a FLUSHALL; a new one costs nothing.
	renewClient = 10 * time.Second
)

// ErrBacklog says that so many events wait unread that no further one was
// sent. Nothing is lost by it but time.
var ErrBacklog = errors.New("too many events wait unread")

// Client sends events and slot commands, and looks after the queues. It is
// safe for concurrent use and needs no closing.
type Client struct {
	redis     redis.UniversalClient
	namespace string
	inspector *asynq.Inspector

	mu     sync.Mutex
	sender *asynq.Client // made anew when older than renewClient
	made   time.Time
}

// NewClient makes a client that shares rc, which the caller closes. The
// namespace prefixes every queue's name.
func NewClient(rc redis.UniversalClient, namespace string) (*Client, error) {
	if err := CheckNamespace(namespace); err != nil {
		return nil, err
	}
	return &Client{redis: rc, namespace: namespace, inspector: asynq.NewInspectorFromRedisClient(rc)}, nil
}

// Reset forgets what the client knows of Redis. Call it when the store was
// found emptied, so that the queues are listed again at the next sending
// rather than within seconds.
func (c *Client) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sender = nil
}

func (c *Client) currentSender() *asynq.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sender == nil || time.Since(c.made) > renewClient {
		c.sender = asynq.NewClientFromRedisClient(c.redis)
		c.made = time.Now()
	}
	return c.sender
}

// Appeared hints that the announcements of keys are new or changed. Losing
// the hint costs time alone. A malformed key is an error, and does not keep
// the others from being sent; ErrBacklog means that nobody reads the hints.
func (c *Client) Appeared(ctx context.Context, keys ...string) error {
	return c.hint(ctx, Appeared, keys)
}

// Gone hints that keys are no longer announced; see Appeared.
func (c *Client) Gone(ctx context.Context, keys ...string) error {
	return c.hint(ctx, Gone, keys)
}

func (c *Client) hint(ctx context.Context, kind Kind, keys []string) error {
	var refused []error
	good := make([]string, 0, len(keys))
	for _, key := range keys {
		if err := stream.CheckKey(key); err != nil {
			refused = append(refused, fmt.Errorf("event %s: %w", kind, err))
			continue
		}
		good = append(good, key)
	}
	slices.Sort(good)
	good = slices.Compact(good)
	if len(good) == 0 {
		return errors.Join(refused...)
	}

	queue := eventQueueName(c.namespace)
	waiting, err := c.redis.LLen(ctx, layout(queue).pending()).Result()
	if err != nil {
		return fmt.Errorf("event %s: length of the queue: %w", kind, err)
	}
	room := int(eventBacklog - waiting)
	for chunk := range slices.Chunk(good, eventKeys) {
		if room--; room < 0 {
			return errors.Join(append(refused, fmt.Errorf("event %s: %w (%d)", kind, ErrBacklog, eventBacklog))...)
		}
		if err := c.sendEvent(ctx, kind, queue, chunk); err != nil {
			return errors.Join(append(refused, err)...)
		}
	}
	if err := wake(ctx, c.redis, c.namespace, queue); err != nil {
		refused = append(refused, fmt.Errorf("event %s: %w", kind, err))
	}
	return errors.Join(refused...)
}

func (c *Client) sendEvent(ctx context.Context, kind Kind, queue string, keys []string) error {
	payload, err := json.Marshal(events{Keys: keys})
	if err != nil {
		return fmt.Errorf("event %s: %w", kind, err)
	}
	// A name of its own for each: an event that comes while an older one of
	// the same keys is being read must not be taken for that one.
	id := fmt.Sprintf("%s.%s.%d.%s", kind, strings.ReplaceAll(keys[0], "/", ":"), len(keys), rand.Text())
	err = c.send(ctx, asynq.NewTask(eventPrefix+string(kind), payload), queue, id, eventRetention)
	if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		return fmt.Errorf("event %s: %w", kind, err)
	}
	return nil
}

// SlotCommand sends verb to the host of the slot. A start that was sent before
// (same instance, token and sending) is sent no second time, and no stop or update
// while one of the same slot and token waits to be read; neither is an error.
func (c *Client) SlotCommand(ctx context.Context, verb Verb, s Reservation) error {
	cmd := Command{Verb: verb, Reservation: s}
	if err := cmd.check(); err != nil {
		return fmt.Errorf("slot command: %w", err)
	}
	payload, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("slot command %s: %w", cmd.id(), err)
	}
	queue := slotQueueName(c.namespace, Service{Type: s.Type, Host: s.Host})
	task, retention := asynq.NewTask(slotPrefix+string(verb), payload), slotRetention
	if verb == Update {
		// All it says is "look"; a child that publishes often causes thousands.
		retention = 0
	}
	err = c.send(ctx, task, queue, cmd.id(), retention)
	if errors.Is(err, asynq.ErrTaskIDConflict) && verb != Start {
		err = c.sendBehind(ctx, task, queue, cmd.id(), retention)
	}
	// One that was sent already may be one whose hint was lost.
	if err == nil || errors.Is(err, asynq.ErrTaskIDConflict) {
		err = wake(ctx, c.redis, c.namespace, queue)
	}
	if err != nil {
		return fmt.Errorf("slot command %s: %w", cmd.id(), err)
	}
	return nil
}

// sendBehind sends what asynq refuses because of an earlier task of its id. One
// that waits says the same already. One that is being read may have been read
// too early, so another goes behind it. One that is done makes room.
func (c *Client) sendBehind(ctx context.Context, task *asynq.Task, queue, id string, retention time.Duration) error {
	state, err := c.redis.HGet(ctx, layout(queue).task(id), "state").Result()
	switch {
	case errors.Is(err, redis.Nil): // done since
	case err != nil:
		return err
	case state == "pending":
		return nil
	case state == "active":
		return c.send(ctx, task, queue, id+".next", retention)
	default:
		err := c.inspector.DeleteTask(queue, id)
		if err != nil && !errors.Is(err, asynq.ErrTaskNotFound) {
			return err
		}
	}
	return c.send(ctx, task, queue, id, retention)
}

// send enqueues a task that is tried once. An id that asynq holds already is
// ErrTaskIDConflict: a task that was sent already, by another process, or by the
// Redis client's own repetition of a call whose answer was lost.
func (c *Client) send(ctx context.Context, task *asynq.Task, queue, id string, retention time.Duration) error {
	_, err := c.currentSender().EnqueueContext(ctx, task,
		asynq.Queue(queue), asynq.TaskID(id), asynq.MaxRetry(0),
		asynq.Timeout(taskTimeout), asynq.Retention(retention))
	return err
}
