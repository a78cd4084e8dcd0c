package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// ErrInUse says that a queue cannot be removed, because a host carries out a
// command of it.
var ErrInUse = errors.New("a command of this queue is being carried out")

// Depth is the state of one queue.
type Depth struct {
	Queue string // with the namespace
	// Service is the zero value for the queue of events.
	Service   Service
	Pending   int64 // wait to be read
	Active    int64 // are being carried out
	Archived  int64 // failed, kept with their reason
	Completed int64 // done, kept with their result
	// Lag is the age of the oldest pending task, 0 when none waits. It
	// compares the sender's clock with that of Redis.
	Lag    time.Duration
	Paused bool
}

// names lists the namespace's queues, in order.
func (c *Client) names(ctx context.Context) ([]string, error) {
	all, err := c.redis.SMembers(ctx, allQueues).Result()
	if err != nil {
		return nil, fmt.Errorf("list the queues: %w", err)
	}
	names := all[:0]
	for _, name := range all {
		if _, ok := parseSlotQueue(c.namespace, name); ok || name == eventQueueName(c.namespace) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Paused tells whether an operator has paused the service's queue, in
// asynqmon or by asynq's own tool: the service is then cordoned.
func (c *Client) Paused(ctx context.Context, typ, host string) (bool, error) {
	queue := slotQueueName(c.namespace, Service{Type: typ, Host: host})
	n, err := c.redis.Exists(ctx, layout(queue).paused()).Result()
	if err != nil {
		return false, fmt.Errorf("is queue %s paused: %w", queue, err)
	}
	return n > 0, nil
}

// existChunk is of how many queues one command asks whether any of them has
// something: some 0.1 ms of Redis.
const existChunk = 100

// having gives those of the queues of which one of keys exists, in order. Most
// queues have nothing most of the time, so it asks for many at once, and for each
// only where there is something.
func (c *Client) having(ctx context.Context, names []string, keys func(layout) []string) ([]string, error) {
	exist := func(groups [][]string) ([]int64, error) {
		counts, out := make([]*redis.IntCmd, len(groups)), make([]int64, len(groups))
		_, err := c.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, group := range groups {
				var all []string
				for _, name := range group {
					all = append(all, keys(layout(name))...)
				}
				counts[i] = p.Exists(ctx, all...)
			}
			return nil
		})
		for i, n := range counts {
			out[i] = n.Val()
		}
		return out, err
	}
	chunks := slices.Collect(slices.Chunk(names, existChunk))
	counts, err := exist(chunks)
	if err != nil {
		return nil, err
	}
	var each [][]string
	for i, chunk := range chunks {
		if counts[i] > 0 {
			each = slices.AppendSeq(each, slices.Chunk(chunk, 1))
		}
	}
	if len(each) == 0 {
		return nil, nil
	}
	if counts, err = exist(each); err != nil {
		return nil, err
	}
	var out []string
	for i, one := range each {
		if counts[i] > 0 {
			out = append(out, one[0])
		}
	}
	return out, nil
}

// PausedQueues lists every service whose queue is paused, in the order of
// their names, at the cost of three round trips.
func (c *Client) PausedQueues(ctx context.Context) ([]Service, error) {
	names, err := c.names(ctx)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	paused, err := c.having(ctx, names, func(q layout) []string { return []string{q.paused()} })
	if err != nil {
		return nil, fmt.Errorf("which queues are paused: %w", err)
	}
	var services []Service
	for _, name := range paused {
		if s, ok := parseSlotQueue(c.namespace, name); ok {
			services = append(services, s)
		}
	}
	return services, nil
}

// Depths tells the state of every queue of the namespace, in the order of
// their names, at the cost of five round trips and few commands for those that
// have nothing.
func (c *Client) Depths(ctx context.Context) ([]Depth, error) {
	names, err := c.names(ctx)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	depths, at := make([]Depth, len(names)), make(map[string]int, len(names))
	for i, name := range names {
		s, _ := parseSlotQueue(c.namespace, name)
		depths[i], at[name] = Depth{Queue: name, Service: s}, i
	}
	names, err = c.having(ctx, names, func(q layout) []string {
		return []string{q.pending(), q.active(), q.archived(), q.completed(), q.paused()}
	})
	if err != nil {
		return nil, fmt.Errorf("depths of the queues: %w", err)
	}
	if len(names) == 0 {
		return depths, nil
	}
	type answers struct {
		pending, active, archived, completed, paused *redis.IntCmd
		oldest                                       *redis.StringCmd
	}
	all := make([]answers, len(names))
	var now *redis.TimeCmd
	cmds, err := c.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		now = p.Time(ctx)
		for i, name := range names {
			q := layout(name)
			all[i] = answers{
				pending: p.LLen(ctx, q.pending()), active: p.LLen(ctx, q.active()),
				archived: p.ZCard(ctx, q.archived()), completed: p.ZCard(ctx, q.completed()),
				paused: p.Exists(ctx, q.paused()), oldest: p.LIndex(ctx, q.pending(), -1),
			}
		}
		return nil
	})
	if err := firstError(cmds, err); err != nil { // Nil: an empty queue has no oldest task
		return nil, fmt.Errorf("depths of the queues: %w", err)
	}
	oldest := make(map[int]string)
	for i, a := range all {
		d := &depths[at[names[i]]]
		d.Pending, d.Active, d.Archived, d.Completed, d.Paused = a.pending.Val(), a.active.Val(), a.archived.Val(), a.completed.Val(), a.paused.Val() > 0
		if id := a.oldest.Val(); id != "" {
			oldest[at[names[i]]] = id
		}
	}
	if err := c.addLags(ctx, depths, oldest, now.Val()); err != nil {
		return nil, err
	}
	return depths, nil
}

// addLags sets the Lag of depths[i] for each i of oldest, which has the id of
// its oldest pending task. A task that was read meanwhile, or was given back
// by a stopping server, has no time; its queue's lag stays 0.
func (c *Client) addLags(ctx context.Context, depths []Depth, oldest map[int]string, now time.Time) error {
	if len(oldest) == 0 {
		return nil
	}
	since := make(map[int]*redis.StringCmd, len(oldest))
	cmds, err := c.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range oldest {
			since[i] = p.HGet(ctx, layout(depths[i].Queue).task(id), pendingSince)
		}
		return nil
	})
	if err := firstError(cmds, err); err != nil {
		return fmt.Errorf("lags of the queues: %w", err)
	}
	for i, text := range since {
		if ns, err := strconv.ParseInt(text.Val(), 10, 64); err == nil {
			depths[i].Lag = max(0, now.Sub(time.Unix(0, ns)))
		}
	}
	return nil
}

// firstError is the first error of a pipeline that is not redis.Nil; err is
// what the pipeline itself returned.
func firstError(cmds []redis.Cmder, err error) error {
	if !errors.Is(err, redis.Nil) {
		return err
	}
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
	}
	return nil
}

// Remove removes the queue of a service whose host is gone for good, with
// all that waits in it or is kept, and with its being paused. It is no error
// if there is none. ErrInUse: the host lives, and is at work.
func (c *Client) Remove(ctx context.Context, typ, host string) error {
	service := Service{Type: typ, Host: host}
	if err := service.Check(); err != nil {
		return fmt.Errorf("remove a queue: %w", err)
	}
	name := slotQueueName(c.namespace, service)
	if err := c.removeOrphans(ctx, name); err != nil {
		return fmt.Errorf("remove queue %s: %w", name, err)
	}
	// asynq removes only queues on its list, and this one may have been
	// dropped from it by FLUSHALL. It leaves behind what was completed.
	q := layout(name)
	if err := c.redis.SAdd(ctx, allQueues, name).Err(); err != nil {
		return fmt.Errorf("remove queue %s: %w", name, err)
	}
	if _, err := c.inspector.DeleteAllCompletedTasks(name); err != nil {
		return fmt.Errorf("remove queue %s: its completed tasks: %w", name, err)
	}
	if err := c.inspector.DeleteQueue(name, true); err != nil && !errors.Is(err, asynq.ErrQueueNotFound) {
		return fmt.Errorf("remove queue %s: %w", name, err)
	}
	if err := c.redis.Del(ctx, q.paused(), q.completed(), q.processed(), q.failed()).Err(); err != nil {
		return fmt.Errorf("remove queue %s: %w", name, err)
	}
	return nil
}

// RemoveHost removes every queue of a host that is gone for good, as Remove
// does. Errors: ErrInUse, for the first that stays.
func (c *Client) RemoveHost(ctx context.Context, host string) error {
	names, err := c.names(ctx)
	if err != nil {
		return err
	}
	var kept error
	for _, name := range names {
		if s, ok := parseSlotQueue(c.namespace, name); ok && s.Host == host {
			kept = cmp.Or(kept, c.Remove(ctx, s.Type, host))
		}
	}
	return kept
}

// removeOrphans removes the commands that the host was carrying out when it
// died; asynq itself refuses to remove a queue that has such. A lease that
// has not ended means that the host lives.
func (c *Client) removeOrphans(ctx context.Context, name string) error {
	q := layout(name)
	now, err := c.redis.Time(ctx).Result()
	if err != nil {
		return err
	}
	orphans := func(tx *redis.Tx) error {
		live, err := tx.ZCount(ctx, q.lease(), strconv.FormatInt(now.Unix(), 10), "+inf").Result()
		if err != nil {
			return err
		}
		if live > 0 {
			return ErrInUse
		}
		ids, err := tx.LRange(ctx, q.active(), 0, -1).Result()
		if err != nil || len(ids) == 0 {
			return err
		}
		keys := []string{q.active(), q.lease()}
		for _, id := range ids {
			keys = append(keys, q.task(id))
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			return p.Del(ctx, keys...).Err()
		})
		return err
	}
	err = c.redis.Watch(ctx, orphans, q.active(), q.lease())
	if errors.Is(err, redis.TxFailedErr) {
		return ErrInUse // somebody took a command from it meanwhile
	}
	return err
}
