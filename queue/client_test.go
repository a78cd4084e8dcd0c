package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"stream-api/internal/realtest"
)

func TestTheSameCommandIsSentOnceAndANewSendingAgain(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	res := reservationOf("a/s1", "speedy", "1-a")
	for range 3 {
		send(t, c, res)
	}
	res.Sending = 2
	send(t, c, res)

	tasks, err := inspect(s).ListPendingTasks("transcode:speedy")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, task := range tasks {
		ids = append(ids, task.ID)
		if task.MaxRetry != 0 || task.Timeout != taskTimeout || task.Retention != slotRetention {
			t.Errorf("task %s: retries %d, timeout %v, retention %v", task.ID, task.MaxRetry, task.Timeout, task.Retention)
		}
	}
	slices.Sort(ids)
	if want := []string{"start.a:s1.transcode.1.1-a.1", "start.a:s1.transcode.1.1-a.2"}; !slices.Equal(ids, want) {
		t.Errorf("pending %v; want %v", ids, want)
	}
}

// A child that publishes five times a second has every dependant's host told as
// often: what is done must leave nothing behind.
func TestAnUpdateLeavesNoTaskBehind(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	got := make(chan string, 1)
	startSlots(t, options(t, s), "speedy", []string{"transcode"}, func(_ context.Context, cmd Command) (string, error) {
		got <- cmd.Key
		return "noted", nil
	})
	if err := c.SlotCommand(context.Background(), Update, reservationOf("s1", "speedy", "1-a")); err != nil {
		t.Fatal(err)
	}
	await(t, got, "the update")
	eventually(t, "the task is gone", func() bool {
		info, err := inspect(s).GetQueueInfo("transcode:speedy")
		return err == nil && info.Size == 0 && info.Completed == 0
	})
}

func TestEventsCarryManyKeysInBoundedTasksAndSkipBadOnes(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	keys := []string{"s1", "s1", "../etc"}
	for i := range 2*eventKeys + 1 {
		keys = append(keys, fmt.Sprintf("room/%03d", i))
	}
	if err := c.Appeared(context.Background(), keys...); err == nil {
		t.Error("a malformed key is no error")
	}
	tasks, err := inspect(s).ListPendingTasks(eventQueue)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, task := range tasks {
		kind, keys, err := decodeEvents(task.Type, task.Payload)
		if err != nil || kind != Appeared || len(keys) > eventKeys {
			t.Errorf("task %s: %v, %d keys, %v", task.ID, kind, len(keys), err)
		}
		for _, key := range keys {
			seen[key]++
		}
	}
	if len(tasks) != 3 || len(seen) != 2*eventKeys+2 || seen["s1"] != 1 {
		t.Errorf("%d tasks with %d keys, s1 %d times", len(tasks), len(seen), seen["s1"])
	}
	if err := c.Gone(context.Background()); err != nil {
		t.Errorf("no keys: %v", err)
	}
}

func TestEventsThatNobodyReadsDoNotPileUp(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	ctx := context.Background()
	for i := range eventBacklog {
		if err := c.Appeared(ctx, "s1"); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
	}
	if err := c.Gone(ctx, "s1"); !errors.Is(err, ErrBacklog) {
		t.Errorf("one more than %d: %v; want ErrBacklog", eventBacklog, err)
	}
	if n := s.Client().LLen(ctx, layout(eventQueue).pending()).Val(); n != eventBacklog {
		t.Errorf("%d events wait; want %d", n, eventBacklog)
	}
}

func TestQueuesAreListedAgainAfterFlushall(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	ctx := context.Background()
	start := reservationOf("s1", "speedy", "1-a")
	for name, renew := range map[string]func(){
		"reset":   c.Reset,
		"in time": func() { c.made = c.made.Add(-2 * renewClient) },
	} {
		send(t, c, start)
		if err := s.Client().FlushAll(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		renew()
		send(t, c, start)
		if queues, err := inspect(s).Queues(); err != nil || !slices.Equal(queues, []string{"transcode:speedy"}) {
			t.Errorf("%s: queues %v, %v", name, queues, err)
		}
		start.Sending++
	}
}

func TestPausedQueuesAreThoseOfThisNamespace(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	ctx := context.Background()
	mine, other := newClient(t, s, "voc:"), newClient(t, s, "")
	if services, err := mine.PausedQueues(ctx); err != nil || len(services) != 0 {
		t.Errorf("of an empty Redis: %v, %v", services, err)
	}
	hosts := []string{"speedy", "2001:db8::1", "busy"}
	for _, host := range hosts {
		send(t, mine, reservationOf("s1", host, "1-a"))
	}
	send(t, other, reservationOf("s1", "speedy", "1-a"))
	if err := mine.Gone(ctx, "s1"); err != nil {
		t.Fatal(err)
	}
	for _, queue := range []string{"voc:transcode:speedy", "voc:transcode:2001:db8::1", "voc:events", "transcode:speedy"} {
		if err := inspect(s).PauseQueue(queue); err != nil {
			t.Fatal(err)
		}
	}
	want := []Service{{"transcode", "2001:db8::1"}, {"transcode", "speedy"}}
	if got, err := mine.PausedQueues(ctx); err != nil || !slices.Equal(got, want) {
		t.Errorf("paused: %v, %v; want %v", got, err, want)
	}
	if err := inspect(s).UnpauseQueue("voc:events"); err != nil { // "" takes it for voc on a host named events
		t.Fatal(err)
	}
	if got, err := other.PausedQueues(ctx); err != nil || !slices.Equal(got, want[1:]) {
		t.Errorf("paused beside a namespace: %v, %v; want %v", got, err, want[1:])
	}
	for host, want := range map[string]bool{"speedy": true, "2001:db8::1": true, "busy": false, "unknown": false} {
		if got, err := mine.Paused(ctx, "transcode", host); err != nil || got != want {
			t.Errorf("%s is paused: %v, %v; want %v", host, got, err, want)
		}
	}
}

func TestDepthsAgreeWithAsynqsInspector(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	ctx := context.Background()
	handled := make(chan string, 2)
	release := make(chan struct{})
	server := startSlots(t, options(t, s), "speedy", []string{"transcode"}, func(ctx context.Context, c Command) (string, error) {
		handled <- c.Key
		switch c.Key {
		case "fails":
			return "", errors.New("no such script")
		case "hangs":
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return "claimed", nil
	})
	for _, key := range []string{"works", "fails", "hangs"} {
		send(t, c, reservationOf(key, "speedy", "1-a"))
		await(t, handled, key)
	}
	send(t, c, reservationOf("waits", "idle", "1-a"))
	if err := inspect(s).PauseQueue("transcode:idle"); err != nil {
		t.Fatal(err)
	}
	var depths []Depth
	eventually(t, "one task completed, one failed, one active", func() bool {
		var err error
		if depths, err = c.Depths(ctx); err != nil {
			t.Fatal(err)
		}
		return len(depths) == 2 && depths[1].Completed == 1 && depths[1].Archived == 1 && depths[1].Active == 1
	})
	for _, d := range depths {
		info, err := inspect(s).GetQueueInfo(d.Queue)
		if err != nil {
			t.Fatal(err)
		}
		got := []any{d.Pending, d.Active, d.Archived, d.Completed, d.Paused}
		want := []any{int64(info.Pending), int64(info.Active), int64(info.Archived), int64(info.Completed), info.Paused}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v; the inspector says %v", d.Queue, got, want)
		}
		if d.Lag > info.Latency || info.Latency-d.Lag > time.Second {
			t.Errorf("%s: lag %v; the inspector says %v", d.Queue, d.Lag, info.Latency)
		}
	}
	if d := depths[0]; d.Service != (Service{"transcode", "idle"}) || !d.Paused || d.Pending != 1 || d.Lag == 0 {
		t.Errorf("the idle host: %+v", d)
	}
	close(release)
	stopServer(t, server)
}

func TestRemoveLeavesNothingOfAHostThatDiedAtWork(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	ctx := context.Background()
	started := make(chan string)
	o := options(t, s)
	o.StopTimeout = 50 * time.Millisecond
	server := startSlots(t, o, "old", []string{"transcode"}, func(ctx context.Context, c Command) (string, error) {
		started <- c.Key
		if c.Key == "fails" {
			return "", errors.New("no such script")
		}
		if c.Key == "hangs" {
			<-ctx.Done()
		}
		return "claimed", nil
	})
	for _, key := range []string{"works", "fails", "hangs"} {
		send(t, c, reservationOf(key, "old", "1-a"))
		await(t, started, key)
	}
	eventually(t, "completed, failed and active tasks", func() bool {
		info, err := inspect(s).GetQueueInfo("transcode:old")
		return err == nil && info.Completed == 1 && info.Archived == 1 && info.Active == 1
	})
	if err := c.Remove(ctx, "transcode", "old"); !errors.Is(err, ErrInUse) {
		t.Errorf("while a command is carried out: %v; want ErrInUse", err)
	}
	// The process dies: its command stays active, its lease runs out.
	q := layout("transcode:old")
	dump := s.Client().Dump(ctx, q.task("start.hangs.transcode.1.1-a.1")).Val()
	stopServer(t, server)
	pipe := s.Client().TxPipeline()
	pipe.Del(ctx, q.pending())
	pipe.LPush(ctx, q.active(), "start.hangs.transcode.1.1-a.1")
	pipe.ZAdd(ctx, q.lease(), z(1000, "start.hangs.transcode.1.1-a.1"))
	pipe.RestoreReplace(ctx, q.task("start.hangs.transcode.1.1-a.1"), 0, dump)
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	send(t, c, reservationOf("waits", "old", "1-a"))
	if err := inspect(s).PauseQueue("transcode:old"); err != nil {
		t.Fatal(err)
	}

	for range 2 { // the second time there is nothing to remove
		if err := c.Remove(ctx, "transcode", "old"); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := s.Client().Keys(ctx, "asynq:{*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		// asynq's daily counts expire by themselves.
		if ttl := s.Client().TTL(ctx, key).Val(); ttl <= 0 {
			t.Errorf("%s is left for ever", key)
		}
	}
	if queues, err := inspect(s).Queues(); err != nil || len(queues) != 0 {
		t.Errorf("queues left: %v, %v", queues, err)
	}
}

func TestAllQueuesOfAHostThatIsGoneAreRemoved(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	for _, service := range []Service{{"work", "old"}, {"dist", "old"}, {"work", "older"}} {
		v := reservationOf("s1", service.Host, "1-a")
		v.Type = service.Type
		send(t, c, v)
	}
	send(t, newClient(t, s, "other:"), reservationOf("s1", "old", "1-a"))
	if err := c.RemoveHost(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
	queues, err := inspect(s).Queues()
	slices.Sort(queues)
	if want := []string{"other:transcode:old", "work:older"}; err != nil || !slices.Equal(queues, want) {
		t.Errorf("queues left: %v, %v; want %v", queues, err, want)
	}
}
