package runners_test

import (
	"testing"

	"stream-api/runners/plan"
	"stream-api/store"
)

// reading notes the value it was started with, and at each HUP what STREAM_API_ENV says then.
const reading = `echo "$VALUE" >> "$NOTES/values"; trap '. "$STREAM_API_ENV"; echo "HUP:$VALUE" >> "$NOTES/values"' HUP; ` + story

// A changed variable is told by the signal that the service says, once, and starts
// nothing anew; nor does it after the next life of the runner took over.
func TestAChildIsToldWhatChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.host("speedy")
	told := func(s *plan.Service) {
		s.OnChange, s.OnSourceChange = plan.OnChange{Do: plan.Signal, Signal: "HUP"}, ""
	}
	calm := func(s *plan.Service) { s.OnChange, s.OnSourceChange = plan.OnChange{Do: plan.Ignore}, "" }
	services := []func() plan.Service{
		func() plan.Service { return h.shell("work", reading, valued(t, "${stream:lang}", told)) },
		func() plan.Service {
			return h.shell("calm", `while :; do . "$STREAM_API_ENV"; echo "$VALUE" > "$NOTES/calm.new"; mv "$NOTES/calm.new" "$NOTES/calm"; sleep 0.1; done`, valued(t, "${stream:lang}", calm))
		},
	}
	l := h.run(h.options(services[0](), services[1]()))
	w.announce("s1", map[string]string{"lang": "de"}, "work", "calm")
	h.awaitValues("de")
	w.announce("s1", map[string]string{"lang": "en"}, "work", "calm")
	h.awaitValues("de HUP:en")
	h.awaitNote("calm", "en")
	l.detach()
	h.run(h.options(services[0](), services[1]()))
	w.awaitSlot("s1", "work", "is not adopted", func(s store.InstanceRecord) bool { return s.Up })
	w.announce("s1", map[string]string{"lang": "fr"}, "work", "calm")
	h.awaitValues("de HUP:en HUP:fr")
	h.awaitNote("calm", "fr")
	for _, slot := range []string{"work", "calm"} {
		if s := w.instance("s1", slot); s.Restarts != 0 || s.Stale {
			t.Errorf("%s is %+v; want it never started anew, and not stale", slot, s)
		}
	}
}
