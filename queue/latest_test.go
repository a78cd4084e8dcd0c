package queue

import (
	"context"
	"errors"
	"slices"
	"testing"

	"stream-api/internal/realtest"
)

func pendingIDs(t *testing.T, s *realtest.RedisServer, queue string) []string {
	t.Helper()
	tasks, err := inspect(s).ListPendingTasks(queue)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, 0, len(tasks))
	for _, task := range tasks {
		ids = append(ids, task.ID)
	}
	slices.Sort(ids)
	return ids
}

// TestAPausedQueueHoldsOneUpdateAndOneStopOfASlot: a child that publishes three
// times a second left ten thousand tasks an hour in it.
func TestAPausedQueueHoldsOneUpdateAndOneStopOfASlot(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	send(t, c, reservationOf("s1", "speedy", "1-a"))
	if err := inspect(s).PauseQueue("transcode:speedy"); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		for _, verb := range []Verb{Update, Stop} {
			res := reservationOf("s1", "speedy", "2-b")
			res.Sending = int64(i)
			if err := c.SlotCommand(t.Context(), verb, res); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := []string{"start.s1.transcode.1.1-a.1", "stop.s1.transcode.1.2-b", "update.s1.transcode.1.2-b"}
	if got := pendingIDs(t, s, "transcode:speedy"); !slices.Equal(got, want) {
		t.Errorf("%d tasks wait, %.10v; want %v", len(got), got, want)
	}
}

// TestAnUpdateSentWhileOneIsReadGoesBehindIt: the one that is read may have been
// read before what the later one tells of.
func TestAnUpdateSentWhileOneIsReadGoesBehindIt(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	begun, end := make(chan string, 10), make(chan string, 10)
	startSlots(t, options(t, s), "speedy", []string{"transcode"}, func(context.Context, Command) (string, error) {
		begun <- "begun"
		<-end
		return "noted", nil
	})
	update := func() {
		t.Helper()
		if err := c.SlotCommand(t.Context(), Update, reservationOf("s1", "speedy", "1-a")); err != nil {
			t.Fatal(err)
		}
	}
	update()
	await(t, begun, "the first update is read")
	update()
	await(t, begun, "the second update is read")
	end <- ""
	end <- ""
	eventually(t, "both are gone", func() bool {
		info, err := inspect(s).GetQueueInfo("transcode:speedy")
		return err == nil && info.Size == 0
	})
}

// TestWhatFailedOrIsDoneKeepsNoLaterCommandAway: asynq holds the id of a task that
// failed for 90 days.
func TestWhatFailedOrIsDoneKeepsNoLaterCommandAway(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	got := make(chan string, 10)
	startSlots(t, options(t, s), "speedy", []string{"transcode"}, func(_ context.Context, cmd Command) (string, error) {
		got <- string(cmd.Verb)
		if cmd.Verb == Update {
			return "", errors.New("no")
		}
		return "noted", nil
	})
	for _, verb := range []Verb{Update, Stop, Update, Stop} {
		if err := c.SlotCommand(t.Context(), verb, reservationOf("s1", "speedy", "1-a")); err != nil {
			t.Fatal(err)
		}
		await(t, got, "the "+string(verb))
		eventually(t, "it is archived or completed", func() bool {
			info, err := inspect(s).GetQueueInfo("transcode:speedy")
			return err == nil && info.Active+info.Pending == 0
		})
	}
}
