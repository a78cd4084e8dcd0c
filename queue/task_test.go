package queue

import (
	"encoding/json"
	"strings"
	"testing"

	"stream-api/stream"
)

func TestQueueNamesParseBackAndDifferForEveryHost(t *testing.T) {
	services := []Service{
		{"transcode", "speedy.lan.c3voc.de"}, {"transcode", "2001:db8::1"}, {"transcode", "::1"},
		{"fanout_h264", "10.0.0.1"}, {"transcode", "2001-db8--1"}, {"events", "events"},
	}
	for _, namespace := range []string{"", "voc:", "a-b_c.", "X:"} {
		seen := map[string]bool{eventQueueName(namespace): true}
		for _, s := range services {
			if err := s.Check(); err != nil {
				t.Fatal(err)
			}
			name := slotQueueName(namespace, s)
			if seen[name] {
				t.Errorf("%s is the queue of two", name)
			}
			seen[name] = true
			if strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-") != "" {
				t.Errorf("%s has characters that asynqmon does not take", name)
			}
			if got, ok := parseSlotQueue(namespace, name); !ok || got != s {
				t.Errorf("%s parses as %v, %v; want %v", name, got, ok, s)
			}
		}
		if s, ok := parseSlotQueue(namespace, eventQueueName(namespace)); ok {
			t.Errorf("the queue of events parses as %v", s)
		}
	}
	for _, foreign := range []string{"prod:transcode:speedy", "default", "transcode:", ":speedy", "transcode:a/b", "Transcode:a"} {
		if s, ok := parseSlotQueue("", foreign); ok {
			t.Errorf("%s of another parses as %v", foreign, s)
		}
	}
}

func TestNamespacesThatBreakAsynqmonAreRefused(t *testing.T) {
	for _, bad := range []string{"a/", "a?", "a#", "a%", "a b", "{a}", "ä", strings.Repeat("a", 65)} {
		if CheckNamespace(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
		if _, err := NewClient(nil, bad); err == nil {
			t.Errorf("a client takes %q", bad)
		}
	}
}

func TestCommandIDsDifferAndAreOneSegmentOfAPath(t *testing.T) {
	base := Command{Verb: Start, Reservation: Reservation{Key: "a/s1", Instance: "transcode.1", Type: "transcode", Host: "h", Token: "17-ab", Sending: 1}}
	if got, want := base.id(), "start.a:s1.transcode.1.17-ab.1"; got != want {
		t.Errorf("id %s; want %s", got, want)
	}
	vary := []func(*Command){
		func(c *Command) {},
		func(c *Command) { c.Verb = Stop },
		func(c *Command) { c.Key = "a.s1" },
		func(c *Command) { c.Key = "a/s1.transcode.1" },
		func(c *Command) { c.Reservation.Instance = "transcode.2" },
		func(c *Command) { c.Token = "17-ac" },
		func(c *Command) { c.Sending = 2 },
	}
	seen := map[string]bool{}
	for _, f := range vary {
		c := base
		f(&c)
		if err := c.check(); err != nil {
			t.Fatal(err)
		}
		if id := c.id(); seen[id] || strings.ContainsAny(id, "/?#% ") {
			t.Errorf("id %s is not unique, or breaks a path", id)
		}
		seen[c.id()] = true
	}
}

func TestMalformedCommandsAreRefused(t *testing.T) {
	good := Reservation{Key: "s1", Instance: "dist.1", Type: "dist", Host: "h", Token: "1-a"}
	if err := (Command{Start, good}).check(); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(*Command){
		"verb":    func(c *Command) { c.Verb = "explode" },
		"key":     func(c *Command) { c.Key = "../s1" },
		"slot":    func(c *Command) { c.Reservation.Instance = "dist~next" },
		"type":    func(c *Command) { c.Type = "di:st" },
		"host":    func(c *Command) { c.Host = "a/b" },
		"zone":    func(c *Command) { c.Host = "fe80::1%eth0" },
		"token":   func(c *Command) { c.Token = "1.a" },
		"empty":   func(c *Command) { c.Token = "" },
		"sending": func(c *Command) { c.Sending = -1 },
	} {
		c := Command{Start, good}
		f(&c)
		if c.check() == nil {
			t.Errorf("%s: %+v is taken", name, c)
		}
	}
}

func FuzzPayloadsNeverPanicAndDecodeOnlyWhatIsLegal(f *testing.F) {
	good, err := json.Marshal(Reservation{Key: "s1", Instance: "dist.1", Type: "dist", Host: "::1", Token: "1-a", Sending: 3})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("slot:start", good)
	f.Add("stream:gone", []byte(`{"keys":["s1","a/s2"]}`))
	f.Add("stream:gone", []byte(`{"keys":["../s1"]}`))
	f.Add("x", []byte{0xff})
	f.Fuzz(func(t *testing.T, taskType string, payload []byte) {
		formatPayload(taskType, payload)
		if c, err := decodeCommand(taskType, payload); err == nil && c.check() != nil {
			t.Errorf("%s %q decodes as %+v", taskType, payload, c)
		}
		if _, keys, err := decodeEvents(taskType, payload); err == nil {
			for _, key := range keys {
				if stream.CheckKey(key) != nil {
					t.Errorf("%s %q decodes with key %q", taskType, payload, key)
				}
			}
		}
	})
}
