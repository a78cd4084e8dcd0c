package runners

import (
	"github.com/rs/zerolog"

	"stream-api/queue"
	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// A holding is called after its stream and the instance's name there, and told apart
// by its token.
// Here is what each neighbour is told of that; a memo has the reservation as it is
// (statedir/log.go finds a log by it), a child the subject (plan/environ.go).

func (h *holding) reservation() store.Reservation {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.res
}

// subject is where the slot runs, for templates.
func (h *holding) subject() plan.Subject {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := plan.Subject{Key: h.res.Key, Instance: h.res.Instance, Host: h.res.Host, Token: h.token, Place: h.memo.Place, PlaceVars: h.memo.PlaceVars}
	if h.service != nil && at.Place < len(h.service.Places) {
		at.PlaceVars = h.service.PlaceVars(at.Place)
	}
	return at
}

// spec is the child for its supervisor, which only repeats its names.
func (h *holding) spec(dir string) supervisor.Spec {
	v := h.reservation()
	return supervisor.Spec{
		Dir: dir, Stream: v.Key, Instance: v.Instance, Type: v.Type, Host: v.Host, Token: v.Token,
		Exec: h.runs, KeepOnStoreLoss: h.line.mode == plan.Keep,
	}
}

// commanded is the slot that a command is about.
func commanded(c queue.Command) store.Reservation {
	return store.Reservation{Key: c.Key, Instance: c.Reservation.Instance, Type: c.Type, Host: c.Host, Token: c.Token}
}

// task is the slot for a command.
func task(v store.Reservation) queue.Reservation {
	return queue.Reservation{Key: v.Key, Instance: v.Instance, Type: v.Type, Host: v.Host, Token: v.Token}
}

// named gives a log the fields that every line about a slot has.
func named(log zerolog.Logger, v store.Reservation) zerolog.Logger {
	return log.With().Str("stream", v.Key).Str("slot", stream.SlotOf(v.Instance)).Str("instance", v.Instance).Str("host", v.Host).Str("token", v.Token).Logger()
}

func (h *holding) logger() *zerolog.Logger {
	h.mu.Lock()
	defer h.mu.Unlock()
	log := h.log
	return &log
}
