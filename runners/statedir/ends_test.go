package statedir

import (
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"stream-api/store"
)

func TestEndsOutliveTheRunnerForAWeek(t *testing.T) {
	t.Parallel()
	d := &Dir{path: t.TempDir()}
	now := time.Unix(1_800_000_000, 0)
	open := func() *Ends {
		t.Helper()
		e, err := d.Ends(now, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		return e
	}
	end := func(instance, token string, done *store.Done) store.End {
		return store.End{Reservation: store.Reservation{Key: "s1", Instance: instance, Token: token}, Ended: now, Done: done, Copy: store.Copy{Vars: map[string]string{"file": token}}}
	}
	e := open()
	for _, one := range []store.End{end("record.1", "1-a", nil), end("upload~0123456789abcdef", "2-b", &store.Done{Code: 3})} {
		if err := e.Write(one, now); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(e.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"Key":"s1","Tok`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	e = open()
	all, err := e.All()
	if err != nil || len(all) != 2 || all[0].Vars["file"] != "1-a" || all[1].Done.Code != 3 {
		t.Errorf("%+v, %v", all, err)
	}
	if done, ok := e.Done("s1", "upload~0123456789abcdef"); !ok || done.Code != 3 {
		t.Errorf("%+v, %v", done, ok)
	}
	if _, ok := e.Done("s2", "upload~0123456789abcdef"); ok {
		t.Error("the job of another stream is done")
	}
	now = now.Add(endsAge)
	if err := e.Write(end("record.1", "3-c", nil), now); err != nil {
		t.Fatal(err)
	}
	if all, err = open().All(); err != nil || len(all) != 1 || all[0].Token != "3-c" {
		t.Errorf("after a week %+v, %v", all, err)
	}
}
