package supervisor

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"stream-api/internal/confine"
)

// A field that is added tomorrow is a difference unless Same says otherwise.
func TestEveryFieldOfWhatRunsIsADifferenceButWhatTakesNoRestart(t *testing.T) {
	t.Parallel()
	one := reflect.TypeFor[Exec]()
	for i := range one.NumField() {
		var e Exec
		field := reflect.ValueOf(&e).Elem().Field(i)
		switch field.Interface().(type) {
		case string:
			field.SetString("x")
		case []string:
			field.Set(reflect.ValueOf([]string{"x"}))
		case []int:
			field.Set(reflect.ValueOf([]int{3}))
		case []Hook:
			field.Set(reflect.ValueOf([]Hook{{Argv: []string{"x"}, Timeout: time.Second}}))
		case *Ready:
			field.Set(reflect.ValueOf(&Ready{TCP: "x:1"}))
		case Rules:
			field.Set(reflect.ValueOf(Rules{Stall: time.Second}))
		case confine.Policy:
			field.Set(reflect.ValueOf(confine.Policy{Level: confine.Hide}))
		default:
			t.Fatalf("say in this test what another %s is", one.Field(i).Name)
		}
		want := slices.Contains([]string{"Mask", "Rules", "Done"}, one.Field(i).Name)
		if same := e.Same(Exec{}); same != want {
			t.Errorf("with another %s it is the same: %v; want %v", one.Field(i).Name, same, want)
		}
	}
}

// What a restart leaves out is gone, not kept from before.
func TestARestartTakesAwayWhatItDoesNotBring(t *testing.T) {
	t.Parallel()
	r := launch(t, func(s *Spec) { s.PreStart = []Hook{{Argv: []string{"sh", "-c", "echo x >> $NOTES/hook"}}} })
	r.await(EventStarted)
	next := r.Spec().Exec
	next.PreStart = nil
	r.must(r.Restart(t.Context(), next))
	r.await(EventStarted, func(e Event) bool { return e.Attempt == 2 })
	if text := r.note("hook"); text != "x" {
		t.Errorf("the hook ran as often as %q says", text)
	}
}
