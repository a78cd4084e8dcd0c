package queue

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"stream-api/internal/realtest"
)

// shownTasks fills a Redis with a task of every state that we know, on hosts
// and keys with every character that we allow, and returns the queues by id.
func shownTasks(t *testing.T, s *realtest.RedisServer) map[string]string {
	t.Helper()
	c := newClient(t, s, "voc:")
	ctx := context.Background()
	o := options(t, s)
	o.Namespace = "voc:"
	begun := make(chan struct{})
	startSlots(t, o, "2001:db8::1", []string{"transcode"}, func(ctx context.Context, c Command) (string, error) {
		switch c.Key {
		case "fails":
			return "", errors.New("/transcode_vaapi.sh: no such file")
		case "hangs":
			close(begun)
			<-ctx.Done()
		}
		return "claimed", nil
	})
	queues := map[string]string{}
	for _, key := range []string{"room.1/s1_hd~x", "fails", "hangs"} {
		res := reservationOf(key, "2001:db8::1", "1763820000000000-ab12")
		res.Instance = "transcode.2"
		send(t, c, res)
		queues[Command{Start, res}.id()] = "voc:transcode:2001:db8::1"
	}
	await(t, begun, "the command that hangs")
	update := Reservation{Key: "s2", Instance: "fanout_h264.1", Type: "fanout_h264", Host: "speedy.lan.c3voc.de", Token: "1-a"}
	if err := c.SlotCommand(ctx, Update, update); err != nil {
		t.Fatal(err)
	}
	queues[Command{Update, update}.id()] = "voc:fanout_h264:speedy.lan.c3voc.de"
	if err := c.Appeared(ctx, "s1", "s2", "s3", "a/s4", "s5", "s6", "s7"); err != nil {
		t.Fatal(err)
	}
	events, err := inspect(s).ListPendingTasks("voc:events")
	if err != nil {
		t.Fatal(err)
	}
	queues[events[0].ID] = "voc:events"
	eventually(t, "a completed and an archived task", func() bool {
		info, err := inspect(s).GetQueueInfo("voc:transcode:2001:db8::1")
		return err == nil && info.Completed == 1 && info.Archived == 1
	})
	return queues
}

// get asks the handler and decodes its JSON.
func get(t *testing.T, h http.Handler, path string) map[string]any {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return answer
}

func TestMonitorShowsEveryQueueAndTask(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	queues := shownTasks(t, s)
	h := Monitor(s.Client(), MonitorOptions{Root: "/asynqmon"})

	if list := get(t, h, "/asynqmon/api/queues")["queues"].([]any); len(list) != 3 {
		t.Errorf("%d queues are shown; want 3", len(list))
	}
	get(t, h, "/asynqmon/api/servers")
	get(t, h, "/asynqmon/api/redis_info")
	want := map[string]string{
		"room.1:s1_hd~x": "room.1/s1_hd~x transcode.2 on 2001:db8::1, sending 1, token 1763820000000000-ab12",
		"s2":             "s2 fanout_h264.1 on speedy.lan.c3voc.de, token 1-a",
		"a:s4":           "a/s4, s1, s2, s3, s5 and 2 more",
	}
	for id, queue := range queues {
		api := "/asynqmon/api/queues/" + url.PathEscape(queue)
		get(t, h, api)
		for _, state := range []string{"active", "pending", "completed", "archived"} {
			get(t, h, api+"/"+state+"_tasks?page=1&size=20")
		}
		task := get(t, h, api+"/tasks/"+url.PathEscape(id))
		for key, payload := range want {
			if strings.Contains(id, "."+key+".") && task["payload"] != payload {
				t.Errorf("task %s: payload %q; want %q", id, task["payload"], payload)
			}
		}
		switch {
		case strings.Contains(id, "s1_hd") && task["result"] != "claimed",
			strings.Contains(id, "fails") && task["error_message"] != "/transcode_vaapi.sh: no such file":
			t.Errorf("task %s is shown as %v", id, task)
		}
	}

	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/asynqmon/", nil))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "/asynqmon") {
		t.Errorf("the page: %d, without its root", w.Code)
	}
}

func TestMonitorPausesAQueueUnlessReadOnly(t *testing.T) {
	t.Parallel()
	s := realtest.Redis(t)
	c := newClient(t, s, "")
	send(t, c, reservationOf("s1", "2001:db8::1", "1-a"))
	for _, readOnly := range []bool{true, false} {
		h := Monitor(s.Client(), MonitorOptions{Root: "/asynqmon", ReadOnly: readOnly})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/asynqmon/api/queues/transcode:2001:db8::1:pause", nil))
		paused, err := c.Paused(context.Background(), "transcode", "2001:db8::1")
		if err != nil {
			t.Fatal(err)
		}
		if refused := w.Code == http.StatusMethodNotAllowed; refused != readOnly || paused == readOnly {
			t.Errorf("read only %v: answer %d, paused %v", readOnly, w.Code, paused)
		}
	}
}

func TestMonitorShowsWhatIsNotOursQuoted(t *testing.T) {
	for payload, want := range map[string]string{
		"\xff\x00":                  `"\xff\x00"`,
		`{"key":"<script>"}`:        `"{\"key\":\"<script>\"}"`,
		strings.Repeat("x", 10_000): `"` + strings.Repeat("x", 80) + `"… (10000 bytes)`,
	} {
		if got := formatPayload("slot:start", []byte(payload)); got != want {
			t.Errorf("%.20q is shown as %s; want %s", payload, got, want)
		}
	}
	if got := formatResult("slot:start", []byte("stale: \xff")); got != `stale: \xff` {
		t.Errorf("result %q", got)
	}
}
