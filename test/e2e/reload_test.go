package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
)

func TestNobodyIsRefusedThePageDuringAReload(t *testing.T) {
	t.Parallel()
	first, second := realtest.FreePort(t), realtest.FreePort(t)
	page := func(port int) string {
		return fmt.Sprintf("web: {listen: \"127.0.0.1:%d\"}\nservices:\n%s", port, sleeper(""))
	}
	h := realrun.Start(t, "a", realtest.Redis(t).URL(), page(first))
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	look := func(port int) error {
		answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", port))
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		return errors.Join(err, answer.Body.Close())
	}
	realtest.Await(t, time.Minute, "the page is there", func() bool { return look(first) == nil })

	stop, looked := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { looked <- n }()
		for ; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			// A connection that says nothing for a second is cut, and a busy
			// machine takes its time; but somebody must listen.
			if err := look(first); errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("look %d: %v", n, err)
				return
			} else if err != nil {
				t.Logf("look %d: %v", n, err)
			}
		}
	}()
	lives := func(n int) func() bool {
		return func() bool { return strings.Count(h.Log(), "the status page is at") == n }
	}
	for n := range 3 {
		h.Signal(syscall.SIGHUP)
		realtest.Await(t, time.Minute, "the next life has its page", lives(n+2))
	}
	close(stop)
	if n := <-looked; n < 20 {
		t.Errorf("only %d looks in three reloads", n)
	}

	// Another address is taken up, and the former is left.
	h.Rewrite(page(second))
	h.Signal(syscall.SIGHUP)
	realtest.Await(t, time.Minute, "the page is at its new address", func() bool { return look(second) == nil })
	if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", first)); err == nil {
		_ = c.Close()
		t.Error("the former address is still listened on")
	}
}
