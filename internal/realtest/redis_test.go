package realtest

import (
	"context"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRedisForgetsOverKillAndKeepsWhatItWasToldToKeep(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, c := range map[string]struct {
		args []string
		want int64
	}{
		"default":    {nil, 0},
		"appendonly": {[]string{"--appendonly", "yes", "--appendfsync", "always"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Redis(t, c.args...)
			if err := s.Client().Set(ctx, "k", "v", 0).Err(); err != nil {
				t.Fatal(err)
			}
			pid := s.PID()
			s.Kill()
			if err := s.Client().Ping(ctx).Err(); err == nil {
				t.Fatal("a killed server answers")
			}
			s.Start()
			if s.PID() == pid {
				t.Fatal("the same process after Kill and Start")
			}
			if n, err := s.Client().Exists(ctx, "k").Result(); err != nil || n != c.want {
				t.Fatalf("keys after the restart: %d, %v; want %d", n, err, c.want)
			}
		})
	}
}

func TestRedisOfALongTestNameStartsAllTheSame(t *testing.T) {
	t.Run(strings.Repeat("long", 40), func(t *testing.T) {
		s := Redis(t)
		s.Stop()
		s.Start()
		if err := s.Client().Ping(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
	})
}
