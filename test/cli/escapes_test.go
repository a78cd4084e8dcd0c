package cli

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
)

// evil does all that a terminal can be told by text: an escape, one of C1, the
// title and the bell, delete, another direction, a break of lines.
const evil = "\x1b[31mred\u009b2J\x1b]0;title\x07\x7f\u202eback\u2066\u2028\u2029\x00\u200b"

// TestNothingInRedisMovesATerminal has every field of every kind of key say
// what a terminal would obey, and reads what each command prints.
func TestNothingInRedisMovesATerminal(t *testing.T) {
	t.Parallel()
	server := realtest.Redis(t)
	client := server.Client()
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, string, int) {
		cmd := exec.Command(realrun.Binary(t), args...)
		var out, complaint strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &complaint
		cmd.Env = append(os.Environ(), "STREAM_API_REDIS="+server.URL(), "TERM=xterm")
		_ = cmd.Run() // what it prints counts, however it ends
		return out.String(), complaint.String(), cmd.ProcessState.ExitCode()
	}
	h := realrun.Start(t, "ber", server.URL(), "services:\n  work: {plugin: static, stream_vars: {url: \"http://x\"}}\n")
	if _, complaint, code := run("streams", "add", "s1", "--chain", "work,other"); code != 0 {
		t.Fatal(complaint)
	}
	realtest.Await(t, patience, "work runs", func() bool {
		out, _, _ := run("streams", "ls")
		return strings.Contains(out, "work=running")
	})
	h.Kill()
	// Each field of each hash but those that are numbers, which are refused.
	keys, err := client.Keys(ctx, "*").Result()
	must(err)
	for _, key := range keys {
		switch kind := client.Type(ctx, key).Val(); {
		case kind == "hash" && !strings.HasPrefix(key, "asynq"):
			for field, value := range client.HGetAll(ctx, key).Val() {
				if _, err := strconv.ParseFloat(value, 64); err == nil || field == "chain" || field == "incarnation" {
					continue
				}
				must(client.HSet(ctx, key, field, evil+value).Err())
			}
			must(client.HSet(ctx, key, "x"+evil, evil).Err())
		case kind == "set":
			must(client.SAdd(ctx, key, evil).Err())
		}
	}
	must(client.HSet(ctx, "stream:s1:work.1", "state", "running"+evil, "reason", evil, "exit", evil, "stderr", evil, "speed", evil, "fps", evil, "pin", evil, "host", evil, "token", evil, "var:"+evil, evil).Err())
	must(client.HSet(ctx, "stream:s1:other.1", "state", "pending", "reason", evil, "host", evil).Err())
	must(client.HSet(ctx, "stream:"+evil, "key", evil, "chain", `["work"]`, "source", evil).Err())
	must(client.ZAdd(ctx, "streams", redis.Z{Score: 1, Member: evil}).Err())
	must(client.XAdd(ctx, &redis.XAddArgs{Stream: "events", Values: []any{"event", evil, "stream", evil, "slot", evil, "host", evil, "reason", evil, "actor", evil}}).Err())
	said := 0
	for _, line := range []string{
		"status", "streams ls", "streams show s1", "hosts ls", "services ls", "sources ls", "events", "doctor",
		"streams show s9", "streams show s1x", "logs s1 work", "logs s1 other", "logs s1 wrk", "logs s9 work", "streams restart s1 work", "streams restart s1 other",
		"streams move s1 work", "streams move s1 other ham", "streams move s1 work --unpin", "streams hold s9", "streams unhold s1", "streams set s9 a=b", "streams rm s9", "streams add s1 --chain work",
		"hosts cordon ham", "hosts drain ham", "hosts uncordon ham", "hosts rm ham", "hosts rm hamm", "services set work ham capacity=2", "services ls wrk", "sources rm junk", "hook junk",
		"__complete streams show ", "__complete logs s1 ", "__complete hosts cordon ", "__complete services ls ", "__complete sources rm ", "__complete streams move s1 work ",
		"status -o json", "streams ls -o json", "streams show s1 -o json", "hosts ls -o json", "services ls -o json", "sources ls -o json", "events -o json", "doctor -o json", "logs s1 work -o json",
	} {
		args := strings.Fields(line)
		if strings.HasSuffix(line, " ") {
			args = append(args, "")
		}
		out, complaint, _ := run(args...)
		for where, text := range map[string]string{"stdout": out, "stderr": complaint} {
			said += strings.Count(text, "back")
			if at := strings.IndexFunc(text, func(r rune) bool {
				return r != '\n' && !strconv.IsPrint(r) && !(strings.HasPrefix(line, "__complete") && r == '\t')
			}); at >= 0 {
				t.Errorf("%s: its %s has %q", line, where, text[max(0, at-40):min(len(text), at+20)])
			}
		}
		if strings.HasSuffix(line, "-o json") && strings.HasPrefix(out, "{") && !strings.HasPrefix(line, "events") && !json.Valid([]byte(out)) {
			t.Errorf("%s: no JSON any more: %.200s", line, out)
		}
	}
	if said < 20 {
		t.Errorf("what Redis holds was printed %d times; then this shows little", said)
	}
}
