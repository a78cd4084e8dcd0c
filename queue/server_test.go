package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"stream-api/internal/realtest"
)

func TestACommandReachesItsHostAloneAndItsResultIsShown(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "voc:")
	got := map[string]chan Command{}
	for _, host := range []string{"speedy", "2001:db8::1"} {
		commands := make(chan Command, 3)
		got[host] = commands
		o := options(t, s)
		o.Namespace = "voc:"
		startSlots(t, o, host, []string{"transcode", "dist"}, func(_ context.Context, c Command) (string, error) {
			commands <- c
			return "claimed by \xff" + host, nil
		})
	}
	res := reservationOf("a/s1", "2001:db8::1", "1-a")
	res.Instance = "transcode.2"
	for _, verb := range []Verb{Start, Update, Stop} {
		if err := c.SlotCommand(context.Background(), verb, res); err != nil {
			t.Fatal(err)
		}
		if cmd := await(t, got[res.Host], string(verb)); cmd != (Command{verb, res}) {
			t.Errorf("the host got %+v; want %s of %+v", cmd, verb, res)
		}
	}
	id := Command{Start, res}.id()
	eventually(t, "the result", func() bool {
		info, err := inspect(s).GetTaskInfo("voc:transcode:2001:db8::1", id)
		return err == nil && info.State == asynq.TaskStateCompleted && string(info.Result) == `claimed by \xff2001:db8::1`
	})
	if n := len(got["speedy"]); n != 0 {
		t.Errorf("%d commands reached another host", n)
	}
}

func TestAFailureIsArchivedOnceWithItsReason(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	var calls atomic.Int32
	startSlots(t, options(t, s), "speedy", []string{"transcode"}, func(_ context.Context, c Command) (string, error) {
		calls.Add(1)
		switch c.Key {
		case "panics":
			panic("index out of range")
		case "binary":
			return "", errors.New("exit 1: \xff icecast://source:hush@h/s1 " + strings.Repeat("x", 10_000))
		case "revoke":
			return "", fmt.Errorf("wrapped: %w", asynq.RevokeTask)
		}
		return "", errors.New("/transcode_vaapi.sh: no such file")
	})
	want := map[string]string{
		"fails": "/transcode_vaapi.sh: no such file", "panics": "panic: index out of range",
		"binary": `exit 1: \xff icecast://source:***@h/s1 xxx`, "revoke": "wrapped: revoke task",
	}
	for key := range want {
		send(t, c, reservationOf(key, "speedy", "1-a"))
	}
	for key, reason := range want {
		eventually(t, key+" is archived with its reason", func() bool {
			info, err := inspect(s).GetTaskInfo("transcode:speedy", Command{Start, reservationOf(key, "speedy", "1-a")}.id())
			return err == nil && info.State == asynq.TaskStateArchived &&
				strings.HasPrefix(info.LastErr, reason) && len(info.LastErr) < shownBytes+10
		})
	}
	if n := calls.Load(); n != 4 {
		t.Errorf("4 commands were handled %d times", n)
	}
}

func TestATaskThatIsNotOursIsArchivedAndHarmsNothing(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	good := make(chan string, 1)
	server := startSlots(t, options(t, s), "speedy", []string{"transcode"}, func(_ context.Context, c Command) (string, error) {
		good <- c.Key
		return "claimed", nil
	})
	stranger := asynq.NewClientFromRedisClient(s.Client())
	for id, task := range map[string]*asynq.Task{
		"type":  asynq.NewTask("mail:send", nil),
		"bytes": asynq.NewTask("slot:start", []byte{0xff, 0}),
		"key":   asynq.NewTask("slot:start", []byte(`{"key":"$(id)","instance":"transcode.1","type":"transcode","host":"speedy","token":"1-a"}`)),
		"queue": asynq.NewTask("slot:start", []byte(`{"key":"s1","instance":"dist.1","type":"dist","host":"speedy","token":"1-a"}`)),
	} {
		if _, err := stranger.Enqueue(task, asynq.Queue("transcode:speedy"), asynq.TaskID(id), asynq.MaxRetry(0)); err != nil {
			t.Fatal(err)
		}
		server.Wake() // a stranger's task comes without a hint
		eventually(t, id+" is archived", func() bool {
			info, err := inspect(s).GetTaskInfo("transcode:speedy", id)
			return err == nil && info.State == asynq.TaskStateArchived && info.LastErr != ""
		})
	}
	send(t, c, reservationOf("s1", "speedy", "1-a"))
	if key := await(t, good, "a good command"); key != "s1" {
		t.Errorf("the handler got %s", key)
	}
}

func TestEachEventIsReadByOneServer(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	seen := make(chan string, 100)
	for range 3 {
		server, err := NewEventServer(options(t, s), func(_ context.Context, kind Kind, keys []string) error {
			seen <- string(kind) + " " + strings.Join(keys, ",")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		startServer(t, server)
	}
	ctx := context.Background()
	if err := errors.Join(c.Appeared(ctx, "s2", "a/s1"), c.Gone(ctx, "s3")); err != nil {
		t.Fatal(err)
	}
	got := []string{await(t, seen, "an event"), await(t, seen, "an event")}
	slices.Sort(got)
	if want := []string{"appeared a/s1,s2", "gone s3"}; !slices.Equal(got, want) {
		t.Errorf("events %v; want %v", got, want)
	}
	eventually(t, "both events done", func() bool {
		info, err := inspect(s).GetQueueInfo(eventQueue)
		return err == nil && info.Completed == 2 && info.Pending+info.Active == 0
	})
	if len(seen) != 0 {
		t.Errorf("and again: %s", <-seen)
	}
}

func TestAPausedQueueHoldsItsCommandsAndAResumedOneDelivers(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	got := make(chan Command, 2)
	server := startSlots(t, options(t, s), "speedy", []string{"transcode", "dist"}, func(_ context.Context, c Command) (string, error) {
		got <- c
		return "", nil
	})
	// The queues are listed before the first command, so that they can be
	// paused at any time.
	eventually(t, "the queues of an idle server", func() bool {
		queues, err := inspect(s).Queues()
		return err == nil && len(queues) == 2
	})
	if err := inspect(s).PauseQueue("transcode:speedy"); err != nil {
		t.Fatal(err)
	}
	send(t, c, reservationOf("s1", "speedy", "1-a"))
	other := Reservation{Key: "s1", Instance: "dist.1", Type: "dist", Host: "speedy", Token: "2-a"}
	send(t, c, other)
	if cmd := await(t, got, "the command of the other queue"); cmd.Type != "dist" {
		t.Errorf("a paused queue delivered %+v", cmd)
	}
	if err := inspect(s).UnpauseQueue("transcode:speedy"); err != nil {
		t.Fatal(err)
	}
	server.Wake() // asynq's own tool gives no hint
	if cmd := await(t, got, "the held command"); cmd.Type != "transcode" {
		t.Errorf("the resumed queue delivered %+v", cmd)
	}
}

func TestStopGivesACommandBackAndTheNextServerTakesIt(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	begun, cancelled, mayEnd := make(chan struct{}), make(chan error, 1), make(chan struct{})
	o := options(t, s)
	o.StopTimeout = 50 * time.Millisecond
	server := startSlots(t, o, "speedy", []string{"transcode"}, func(ctx context.Context, _ Command) (string, error) {
		close(begun)
		<-ctx.Done()
		cancelled <- ctx.Err()
		<-mayEnd
		return "", ctx.Err()
	})
	send(t, c, reservationOf("s1", "speedy", "1-a"))
	await(t, begun, "the command")
	bound, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	if err := server.Stop(bound); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Stop while a handler lingers: %v", err)
	}
	if err := await(t, cancelled, "the end of the handler's context"); !errors.Is(err, context.Canceled) {
		t.Errorf("the handler's context ended with %v", err)
	}
	close(mayEnd)
	stopServer(t, server)
	if info, err := inspect(s).GetQueueInfo("transcode:speedy"); err != nil || info.Pending != 1 || info.Active != 0 {
		t.Errorf("the command was not given back: %+v, %v", info, err)
	}
	if depths, err := c.Depths(context.Background()); err != nil || len(depths) != 1 || depths[0].Pending != 1 {
		t.Errorf("depths with a given-back command: %+v, %v", depths, err)
	}
	again := make(chan Command, 1)
	startSlots(t, options(t, s), "speedy", []string{"transcode"}, func(_ context.Context, c Command) (string, error) {
		again <- c
		return "claimed", nil
	})
	if cmd := await(t, again, "the command that was given back"); cmd.Key != "s1" {
		t.Errorf("the next server got %+v", cmd)
	}
}

func TestStopLetsACommandFinish(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	begun, finish := make(chan struct{}), make(chan struct{})
	server := startSlots(t, options(t, s), "speedy", []string{"transcode"}, func(ctx context.Context, _ Command) (string, error) {
		close(begun)
		<-finish
		return "claimed", ctx.Err()
	})
	send(t, c, reservationOf("s1", "speedy", "1-a"))
	await(t, begun, "the command")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := server.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Stop while the handler runs: %v", err)
	}
	close(finish)
	stopServer(t, server)
	if info, err := inspect(s).GetQueueInfo("transcode:speedy"); err != nil || info.Completed != 1 {
		t.Errorf("the command was not finished: %+v, %v", info, err)
	}
}

func TestAServerIsStartedOnceAndStoppedAtAnyTime(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	handle := func(context.Context, Command) (string, error) { return "", nil }
	server, err := NewSlotServer(options(t, s), "speedy", []string{"dist"}, handle)
	if err != nil {
		t.Fatal(err)
	}
	stopServer(t, server)
	if server.Start() == nil {
		t.Error("a stopped server starts")
	}
	server = startSlots(t, options(t, s), "speedy", []string{"dist"}, handle)
	if server.Start() == nil {
		t.Error("a started server starts again")
	}
	stopServer(t, server)
	stopServer(t, server)
	for name, types := range map[string][]string{"none": nil, "bad": {"a/b"}} {
		if _, err := NewSlotServer(options(t, s), "speedy", types, handle); err == nil {
			t.Errorf("types %s are taken", name)
		}
	}
	if _, err := NewSlotServer(Options{}, "speedy", []string{"dist"}, handle); err == nil {
		t.Error("no Redis client is taken")
	}
}

func TestFailedTasksAreTrimmedToTheNewest(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	ctx := context.Background()
	const tasks = keepFailed + 7
	server := startSlots(t, options(t, s), "speedy", []string{"transcode"}, func(context.Context, Command) (string, error) {
		return "", errors.New("exit 1")
	})
	for i := range tasks {
		send(t, c, reservationOf(fmt.Sprintf("s%03d", i), "speedy", "1-a"))
	}
	q := layout("transcode:speedy")
	eventually(t, "all archived", func() bool { return s.Client().ZCard(ctx, q.archived()).Val() == tasks })
	for i := range 7 { // all failed within the same second
		id := Command{Start, reservationOf(fmt.Sprintf("s%03d", i), "speedy", "1-a")}.id()
		s.Client().ZAdd(ctx, q.archived(), z(float64(1000+i), id))
	}
	if err := server.keeper.keep(ctx); err != nil {
		t.Fatal(err)
	}
	if n := s.Client().ZCard(ctx, q.archived()).Val(); n != keepFailed {
		t.Errorf("%d failed tasks are kept; want %d", n, keepFailed)
	}
	if keys := s.Client().Keys(ctx, q.task("*")).Val(); len(keys) != keepFailed || slices.ContainsFunc(keys, func(k string) bool { return strings.Contains(k, "s006") }) {
		t.Errorf("%d tasks are kept, or not the newest", len(keys))
	}
}
