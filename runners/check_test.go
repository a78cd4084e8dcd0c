package runners_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/runners/plan"
	"stream-api/store"
	"stream-api/stream"
)

// checked gives a service a check that is asked often.
func checked(c plan.Check) func(*plan.Service) {
	return func(s *plan.Service) {
		c.Interval, c.Timeout, c.Fall, c.Rise = 100*time.Millisecond, 2*time.Second, 3, 2
		s.Check = &c
	}
}

// awaitCheck waits for what the store says of a host's only service.
func (w *world) awaitCheck(host string, state stream.HostState, code stream.Code, words string) {
	w.t.Helper()
	var last store.ServiceRecord
	defer func() {
		if w.t.Failed() {
			w.t.Logf("the service on %s: %+v, %s", host, last, last.Check)
		}
	}()
	realtest.Await(w.t, time.Minute, host+" is not "+string(state)+" for "+string(code), func() bool {
		hosts, err := w.store.HostsNamed(w.t.Context(), []string{host})
		if err != nil || len(hosts[0].Services) == 0 {
			return false
		}
		last = hosts[0].Services[0]
		return last.State == state && last.Check.Code == code && strings.Contains(last.Check.String(), words)
	})
}

// A host asks for its services, static ones too: what fails takes nothing new and
// keeps what it has; on all hosts at once half of them are believed; what has no
// check any more is forgotten.
func TestAServiceWhoseCheckFailsTakesNothingNew(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	server := http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			rw.WriteHeader(http.StatusBadGateway)
		}
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	w := newWorld(t)
	a, b := w.host("a"), w.host("b")
	static := func(changes ...func(*plan.Service)) plan.Service {
		s := plan.Service{Type: "dist", StreamVars: map[string]stream.Template{"url": template(t, "x")}}
		for _, change := range changes {
			change(&s)
		}
		return s
	}
	first := a.run(a.options(static(checked(plan.Check{HTTP: template(t, "http://"+l.Addr().String()+"/health")}))))
	file := filepath.Join(b.notes, "well")
	b.let("well")
	second := b.run(b.options(static(checked(plan.Check{Command: plan.Command(templates(t, "test", "-e", file))}))))
	w.announce("s0", nil, "dist")
	w.awaitRunning("s0", "dist", "a")

	broken.Store(true)
	w.awaitCheck("a", stream.Cordoned, stream.CodeCheckFails, "502 from http://127.0.0.1")
	for _, key := range []string{"s1", "s2", "s3"} {
		w.announce(key, nil, "dist")
		w.awaitRunning(key, "dist", "b")
	}
	w.awaitRunning("s0", "dist", "a")

	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	w.awaitCheck("b", stream.Up, stream.CodeCheckIgnored, "2 of 2 dist services fail")
	w.announce("s4", nil, "dist")
	w.awaitRunning("s4", "dist", "b")

	broken.Store(false)
	w.awaitCheck("a", stream.Up, "", "")
	w.awaitCheck("b", stream.Cordoned, stream.CodeCheckFails, "command test: exit status 1")
	second.detach()
	second = b.run(b.options(static()))
	w.awaitCheck("b", stream.Up, "", "")
	for _, l := range []*life{first, second} {
		l.detach()
	}
}
