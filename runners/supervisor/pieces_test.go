package supervisor

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestALineThatDoesNotEndIsShownAfterAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		c := cutter{room: 100, line: func(text []byte, _ bool) { got = append(got, "line "+string(text)) }}
		p := newPieces(&c, func(text []byte) { got = append(got, "piece "+string(text)) })
		for _, step := range []struct {
			text string
			wait time.Duration
			want string // the latest
		}{
			{"..", 500 * time.Millisecond, ""},
			{".", 600 * time.Millisecond, "piece ..."},
			{"", time.Hour, "piece ..."}, // nothing new to show
			{".", 1900 * time.Millisecond, "piece ..."},
			{".", 200 * time.Millisecond, "piece ....."},
			{"!\n", time.Hour, "line .....!"},
			{"a", 1100 * time.Millisecond, "piece a"},
			{"\nb\n", time.Hour, "line b"},
			{"c", 900 * time.Millisecond, "line b"},
		} {
			if step.text != "" {
				p.write([]byte(step.text))
			}
			time.Sleep(step.wait)
			synctest.Wait()
			p.mu.Lock()
			last := ""
			if len(got) > 0 {
				last = got[len(got)-1]
			}
			p.mu.Unlock()
			if last != step.want {
				t.Fatalf("after %q and %v the latest is %q; want %q", step.text, step.wait, last, step.want)
			}
		}
		p.flush()
		time.Sleep(time.Hour)
		if want := []string{"piece ...", "piece .....", "line .....!", "piece a", "line a", "line b", "line c"}; !slices.Equal(got, want) {
			t.Errorf("got %q; want %q", got, want)
		}
	})
}

func TestAPieceShowsNoBeginningOfASecret(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	m := newMasker([]string{secret, "swordfish-swordfish"})
	for n := 1; n <= len(secret); n++ {
		want := "key ="
		if n == len(secret) {
			want += "***"
		}
		if got := m.piece([]byte("key =" + secret[:n])); got != want+"…" {
			t.Errorf("%d bytes of the secret: %q", n, got)
		}
	}
	if got := m.piece([]byte("....")); got != "....…" {
		t.Errorf("dots are %q", got)
	}
}

func TestDotsAreSeenInTheLog(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`printf .....; exec sleep 1000`))
	r.await(EventStarted)
	until(t, "the dots are in the log", func() bool {
		found := false
		err := ReadLog(t.Context(), r.dir, -1, false, func(line LogLine) error {
			found = found || line.Text == ".....…"
			return nil
		})
		return err == nil && found
	})
}
