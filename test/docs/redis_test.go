package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/store"
	"stream-api/stream"
)

// answers says what each command of docs/redis.md, in order, must print, as
// a regular expression.
var answers = []string{
	`(?s)^ber\n\d{13}\n$`,
	`^transcode\|s1\|transcode\.1\n$`,
	`^1\n1\nup\n$`,
	`^\n?$`, // ber is full
	`^running\nber\n\d{13}\n0\n$`,
	`^full {"full":"1/1","services":"1","type":"transcode"}\n$`,
	`^s2\|transcode\.1\n$`,
	`(?s)^s1\ns2\ngood\n\d{13}\n$|^s2\ns1\ngood\n\d{13}\n$`,
	`^\d{13}\nfirst-start\n$`,
	`(?s)waits.*claimed`,
	`^0\n$`,
}

func TestCommandsOfRedisPageAnswer(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != len(answers) {
		t.Fatalf("docs/redis.md has %d commands, this test %d answers", len(blocks), len(answers))
	}
	server := realtest.Redis(t)
	fill(t, server)
	path := shim(t, server.Addr)
	for i, block := range blocks {
		cmd := exec.Command("sh", "-e", "-c", block[1])
		cmd.Env = append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil || !regexp.MustCompile(answers[i]).Match(out) {
			t.Errorf("%s\nprinted %q, %v; want %s", block[1], out, err, answers[i])
		}
	}
	v, err := server.Client().HGet(t.Context(), "service:transcode:ber", "capacity").Result()
	if err != nil || v != "3" {
		t.Errorf("capacity set by hand is %q, %v", v, err)
	}
}

// shim makes a redis-cli that speaks to the test's server.
func shim(t *testing.T, socket string) string {
	t.Helper()
	real, err := exec.LookPath("redis-cli")
	if err != nil {
		t.Fatalf("redis-cli is not installed: apt-get install redis-tools (%v)", err)
	}
	dir := t.TempDir()
	text := "#!/bin/sh\nexec " + real + " -s " + socket + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "redis-cli"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// fill brings about what the page asks for: s1 runs on ber, s2 finds it full.
func fill(t *testing.T, server *realtest.RedisServer) {
	t.Helper()
	ctx := t.Context()
	s, err := store.New(server.Client(), store.Options{Actor: "docs", TTL: time.Second, Beat: 50 * time.Millisecond})
	must(t, err)
	realtest.Await(t, 10*time.Second, "the first hold is over", func() bool {
		r, err := s.Reap(ctx, store.ReapMemory{})
		must(t, err)
		return !r.Held
	})
	one := 1
	h := store.Holder{Host: "ber", Incarnation: "i"}
	_, err = s.Register(ctx, store.Registration{Holder: h, HostID: "x", TTL: time.Minute, Beat: time.Second,
		Offers: []store.Offer{{Type: "transcode", Capacity: &one}}})
	must(t, err)
	for _, key := range []string{"s1", "s2"} {
		must(t, s.AddStream(ctx, key, stream.Announcement{Chain: []string{"transcode"}}))
	}
	marks, err := s.Dirty(ctx, 10)
	must(t, err)
	for _, m := range marks {
		_, err := s.Want(ctx, store.Want{Mark: m, Wanted: true, Chain: []string{"transcode"}, Fields: map[string]string{"source": "manual"}})
		must(t, err)
	}
	placed, err := s.Place(ctx, []store.Request{{Key: "s1", Instance: "transcode.1", Type: "transcode", Candidates: []store.Candidate{{Class: stream.Class{}.ID()}}}})
	must(t, err)
	must(t, s.Claim(ctx, placed[0].Reservation, "i"))
	_, err = s.Note(ctx, store.Noted{Key: "s2", Instance: "transcode.1", Reason: stream.Because(stream.CodeFull, "type", "transcode", "services", "1", "full", "1/1")})
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
