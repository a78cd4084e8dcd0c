package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// ingest answers as an Icecast with the mounts that it was given.
type ingest struct {
	*httptest.Server
	mu   sync.Mutex
	keys []string
}

func newIngest() *ingest {
	in := &ingest{}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		in.mu.Lock()
		mounts := make([]map[string]string, len(in.keys))
		for i, key := range in.keys {
			mounts[i] = map[string]string{"listenurl": "http://h/" + key, "server_type": "video/webm"}
		}
		in.mu.Unlock()
		// A poller that hears half an answer asks again.
		_ = json.NewEncoder(w).Encode(map[string]any{"icestats": map[string]any{"source": mounts}})
	}))
	return in
}

func (in *ingest) add(keys ...string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.keys = append(in.keys, keys...)
}

// network is the real processes.
type network struct {
	dir   string
	procs []*exec.Cmd
	page  string
}

// startReal runs n hosts of the built program; the first polls the ingest and
// serves the page. They offer types of their own and run nothing.
func startReal(binary, redis, ingest string, n, types int, chain []string) (*network, error) {
	dir, err := os.MkdirTemp("", "fl-")
	if err != nil {
		return nil, err
	}
	w := &network{dir: dir}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	w.page = fmt.Sprintf("http://127.0.0.1:%d", port)
	for i := range n {
		state := filepath.Join(dir, fmt.Sprintf("h%d", i))
		text := fmt.Sprintf("network: {name: real%d, redis: \"unix://%s\"}\nstate_dir: %s\nlog: {level: warn, format: json}\n", i, redis, state)
		if i == 0 {
			list, err := json.Marshal(chain)
			if err != nil {
				return nil, err
			}
			text += fmt.Sprintf("web: {listen: \"127.0.0.1:%d\"}\nsources:\n  - name: in\n    plugin: poll\n    vars: {url: %q, type: icecast, interval: 200ms}\n    chain: %s\n", port, ingest, list)
		}
		text += "services:\n"
		for t := range types {
			text += fmt.Sprintf("  real%d: {plugin: {name: exec, path: sleep, args: [\"100000\"]}, capacity: 4}\n", t)
		}
		file := filepath.Join(dir, fmt.Sprintf("h%d.yaml", i))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
		log, err := os.Create(state + ".log")
		if err != nil {
			return nil, err
		}
		cmd := exec.Command(binary, "run", "-c", file)
		cmd.Stdout, cmd.Stderr = log, log
		if err := errors.Join(cmd.Start(), log.Close()); err != nil {
			return nil, err
		}
		w.procs = append(w.procs, cmd)
	}
	return w, nil
}

// watch reads the page's feed as a browser does, until the network ends.
func (w *network) watch() {
	r, err := http.Get(w.page + "/api/v1/events")
	if err != nil {
		return // the figures are then those without a watcher
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
}

// cpu is the processor time of the real hosts so far, in seconds: of the one
// that polls and serves, and of the others.
func (w *network) cpu() (first, others float64, err error) {
	for i, p := range w.procs {
		used, err := cpuOf(p.Process.Pid)
		if err != nil {
			return 0, 0, err
		}
		if i == 0 {
			first = used
		} else {
			others += used
		}
	}
	return first, others, nil
}

func (w *network) stop() {
	for _, p := range w.procs {
		_ = p.Process.Signal(syscall.SIGTERM) // one that has ended is waited for below
	}
	for _, p := range w.procs {
		_ = p.Wait()
	}
	_ = os.RemoveAll(w.dir)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }() // it was never used
	return l.Addr().(*net.TCPAddr).Port, nil
}
