package scheduler

import (
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

func TestDrainGoesOnOnlyWhenTheMovedChildIsUp(t *testing.T) {
	t.Parallel()
	const now = 1_000_000
	for name, c := range map[string]struct {
		drain    bool
		instance store.InstanceRecord
		deadline int64
		want     step
	}{
		"claimed a moment ago":       {true, store.InstanceRecord{State: stream.Running, Since: now - 100}, 0, wait},
		"no child yet":               {true, store.InstanceRecord{State: stream.Running, Since: now - 60_000, Phase: stream.Starting}, 0, wait},
		"its output is not there":    {true, store.InstanceRecord{State: stream.Running, Since: now - 60_000, Up: true, Phase: stream.Unready}, 0, wait},
		"fails":                      {true, store.InstanceRecord{State: stream.Running, Since: now - 60_000, Up: true, Phase: stream.Failing}, 0, wait},
		"up":                         {true, store.InstanceRecord{State: stream.Running, Since: now - 100, Up: true}, 0, finish},
		"runs well for long":         {true, store.InstanceRecord{State: stream.Running, Since: now - 9000}, 0, finish},
		"fails again and again":      {true, store.InstanceRecord{State: stream.Running, Since: now - 9000, Exit: "1"}, 0, wait},
		"… until the move is late":   {true, store.InstanceRecord{State: stream.Running, Since: now - 9000, Exit: "1"}, now, giveUp},
		"not placed yet":             {true, store.InstanceRecord{State: stream.Pending}, 0, wait},
		"a move that stands alone":   {false, store.InstanceRecord{State: stream.Running, Since: now - 100}, 0, finish},
		"the stream ended meanwhile": {true, store.InstanceRecord{State: stream.Stopping}, 0, giveUp},
	} {
		c.instance.Token = "new"
		got, why := nextStep(progress{
			move:     store.Move{Reservation: store.Reservation{Token: "old"}, Drain: c.drain, Deadline: c.deadline},
			instance: c.instance, now: now, grace: 5 * time.Second, draining: true,
		})
		if got != c.want {
			t.Errorf("%s: step %d (%s), want %d", name, got, why, c.want)
		}
	}
}
