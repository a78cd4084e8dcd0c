package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"stream-api/config"
	"stream-api/store"
	"stream-api/stream"
	"stream-api/web"
)

func demoCommand() *cobra.Command {
	var listen string
	c := &cobra.Command{
		Use: "demo", Short: "Try it: three hosts, a toy ingest, the whole chain; needs nothing but this program", GroupID: "host", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), listen)
		},
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "where the page is")
	return c
}

// demoStreams are the toy ingest's; the first is switched on at the start.
var demoStreams = []string{"s1", "s2", "s3", "q1"}

// demoHostNames are the hosts; each is a process of its own.
var demoHostNames = []string{"alpha", "bravo", "charlie"}

func runDemo(ctx context.Context, listen string) (err error) {
	// Not below a long TMPDIR: sockets lie in it.
	dir, err := os.MkdirTemp("", "stream-api-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ingest, err := startToyIngest(demoStreams...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ingest.close()) }()
	cfg, err := demoControl(ingest.url(), listen, filepath.Join(dir, "demo"))
	if err != nil {
		return err
	}
	if err := checkFree(ctx, listen); err != nil {
		return err
	}
	log, err := newLogger(config.Log{Level: "warn", Format: "console"}, os.Stderr)
	if err != nil {
		return err
	}
	quietRedisLogger(log)
	l, err := connect(cfg, log.Level(zerolog.ErrorLevel))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	d := &demo{dir: dir, ingest: ingest, redis: l.address, hosts: map[string]*demoProcess{}}
	defer d.endHosts()
	return d.run(ctx, cfg, l, log)
}

// checkFree listens where the page will be, before anything is started or
// printed: the page comes last.
func checkFree(ctx context.Context, listen string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err == nil {
		return l.Close()
	}
	other := "127.0.0.1:8081"
	if listen == other {
		other = "127.0.0.1:8082"
	}
	return fmt.Errorf("the page cannot be at %s: %w; give another: stream-api demo --listen %s", listen, err, other)
}

// demo is a toy network on one machine. It implements web.Demo.
type demo struct {
	dir    string
	ingest *toyIngest
	redis  string

	mu    sync.Mutex
	hosts map[string]*demoProcess
}

func (d *demo) run(ctx context.Context, cfg *config.Config, l *links, log zerolog.Logger) error {
	if err := d.writeFiles(); err != nil {
		return err
	}
	p, err := assemble(cfg, l, log, d)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, name := range demoHostNames {
		if err := d.SetAlive(ctx, name, true); err != nil {
			return err
		}
	}
	d.ingest.Switch(demoStreams[0], true)
	d.greet(cfg)
	var loops sync.WaitGroup
	loops.Go(func() { d.tell(ctx, l.store) })
	loops.Go(func() { guide(ctx, l.store, d.redis) })
	go d.obey(ctx, os.Stdin, cancel) // ends with the process: a read of a terminal cannot be interrupted
	err = p.run(ctx)
	cancel()
	loops.Wait()
	return err
}

func (d *demo) greet(cfg *config.Config) {
	fmt.Printf(`
  stream-api demo: three hosts (%s), a toy ingest (%s), one store.
  Each stream is distributed, transcoded, packaged (hls), pictured (thumb) and recorded twice.

    page         http://%s/          switch streams, kill hosts, watch
    second look  %s status -w --redis %s
    redis-cli    redis-cli -u %s smembers slots:alpha

  Type here, each with Enter:
    s2           switch stream s2 on or off (also s1, s3, q1)
    kill alpha   end host alpha without warning; its slots move within six seconds
    start alpha  bring it back
    quit         or Ctrl-C

  What happens, one line each, and what to try next:

`, strings.Join(demoHostNames, ", "), strings.Join(demoStreams, ", "), cfg.Web.Listen, os.Args[0], d.redis, d.redis)
}

// tell prints what happens until ctx ends.
func (d *demo) tell(ctx context.Context, s *store.Store) {
	_ = followEvents(ctx, s, "0", func(e store.Event) error { // it prints its own errors
		switch e.Event {
		case "claimed", "stopping", "report":
			return nil // between two lines that say more
		}
		return printEvent(e)
	})
}

// obey carries out what is typed until the input ends.
func (d *demo) obey(ctx context.Context, in io.Reader, quit func()) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 0:
		case len(words) == 1 && (words[0] == "quit" || words[0] == "q"):
			quit()
			return
		case len(words) == 1 && slices.Contains(demoStreams, words[0]):
			d.ingest.Switch(words[0], !d.ingest.Streams()[words[0]])
		case len(words) == 2 && (words[0] == "kill" || words[0] == "start") && slices.Contains(demoHostNames, words[1]):
			if err := d.SetAlive(ctx, words[1], words[0] == "start"); err != nil {
				say("%v", err)
			}
		default:
			fmt.Printf("type one of %s, kill HOST, start HOST (%s), quit\n", strings.Join(demoStreams, ", "), strings.Join(demoHostNames, ", "))
		}
	}
}

// State implements web.Demo.
func (d *demo) State() web.DemoState {
	var out web.DemoState
	on := d.ingest.Streams()
	for _, key := range demoStreams {
		out.Streams = append(out.Streams, web.DemoStream{Key: key, On: on[key]})
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range demoHostNames {
		p := d.hosts[name]
		out.Hosts = append(out.Hosts, web.DemoHost{Host: name, Alive: p != nil && p.alive()})
	}
	return out
}

// Switch implements web.Demo.
func (d *demo) Switch(_ context.Context, key string, on bool) error {
	if !d.ingest.Switch(key, on) {
		return fmt.Errorf("stream %s of the toy ingest: %w", stream.Quote(key), store.ErrNotFound)
	}
	return nil
}

// SetAlive implements web.Demo.
func (d *demo) SetAlive(_ context.Context, host string, alive bool) error {
	if !slices.Contains(demoHostNames, host) {
		return fmt.Errorf("host %s of the demo: %w", stream.Quote(host), store.ErrNotFound)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.hosts[host]
	if p != nil && p.alive() == alive || p == nil && !alive {
		return nil
	}
	if !alive {
		return p.kill()
	}
	fresh, err := startDemoHost(d.dir, host)
	if err != nil {
		return err
	}
	d.hosts[host] = fresh
	return nil
}

// endHosts ends what still runs, children included.
func (d *demo) endHosts() {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all sync.WaitGroup
	for _, p := range d.hosts {
		all.Go(func() {
			if err := p.leave(10 * time.Second); err != nil {
				say("stream-api: %v", err)
			}
		})
	}
	all.Wait()
}

// demoLease is short, so that one need not wait long to see a host's work move.
const demoLease = "lease: {ttl: 5s, beat: 1s}\n"

// demoControl is the configuration of the process that polls, decides and
// shows.
func demoControl(ingest, listen, stateDir string) (*config.Config, error) {
	text := demoLease + fmt.Sprintf(`network: {name: demo, redis: embedded}
state_dir: %q
sources:
  - name: toy
    plugin: poll
    vars: {url: %q, type: icecast, interval: 500ms, gone_after: 3s}
    labels: {site: south}
    chain:
      - {slot: dist, near: source}
      - {slot: transcode, near: dist}
      - hls
      - {slot: thumb, with: hls}
      - {slot: record, copies: 2, apart: host}
web: {listen: %q, asynqmon: read_write}
`, stateDir, ingest, listen)
	cfg, err := config.LoadBytes(config.File{Name: "demo", Data: []byte(text)})
	if err != nil {
		return nil, fmt.Errorf("the demo's configuration: %w", err)
	}
	return cfg, nil
}

// writeFiles writes the hosts' configuration and their scripts.
func (d *demo) writeFiles() error {
	files := map[string]string{"common.yaml": demoLease + fmt.Sprintf("network: {redis: %q}\n", d.redis)}
	for i, name := range demoHostNames {
		files[name+".yaml"] = d.hostFile(name, i)
	}
	for _, slot := range []string{"transcode", "hls", "thumb", "record"} {
		files[slot+".sh"] = demoScript(slot)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// hostFile offers the whole chain on each host, so that any two of them may die.
func (d *demo) hostFile(name string, i int) string {
	script := func(slot string) string { return filepath.Join(d.dir, slot+".sh") }
	site := "south"
	if i == 0 {
		site = "north"
	}
	return fmt.Sprintf(`network: {name: %[1]s, labels: {site: %[2]s}}
state_dir: %[3]s
scheduler: {enabled: false}
services:
  dist:
    plugin: static
    capacity: 4
    stream_vars: {url: "icecast://live.%[1]s.example:8000"}
  transcode:
    plugin:
      name: exec
      path: %[4]s
      env: {pull_url: "${source:url}/${stream:key}", push_url: "${dist:url}/${stream:key}_h264"}
      stop: {grace: 2s}
    capacity: 3
    stream_vars: {h264_url: "${dist:url}/${stream:key}_h264"}
  hls:
    plugin: {name: exec, path: %[5]s, env: {pull_url: "${transcode:h264_url}"}, stop: {grace: 2s}}
    capacity: 4
    stream_vars: {url: "http://${host:name}/hls/${stream:key}/"}
  thumb:
    plugin: {name: exec, path: %[6]s, env: {pull_url: "${hls:url}"}, stop: {grace: 2s}}
  record:
    plugin: {name: exec, path: %[7]s, env: {pull_url: "${source:url}/${stream:key}"}, stop: {grace: 2s}}
    capacity: 4
`, name, site, filepath.Join(d.dir, "h"+string(rune('0'+i))), script("transcode"), script("hls"), script("thumb"), script("record"))
}

// demoScript stands for an ffmpeg: it says what it would do, publishes where
// its work is, shows progress, and ends on TERM.
func demoScript(slot string) string {
	return `#!/bin/sh
# ` + slot + ` of the demo
trap 'echo "` + slot + ` ends"; exit 0' TERM INT
echo "` + slot + ` of $STREAM_API_STREAM pulls $pull_url ${push_url:+and pushes $push_url}"
echo "started_at=$(date +%H:%M:%S)" >> "$STREAM_API_VARS"
n=0
while :; do
	n=$((n + 1))
	[ $((n % 10)) -ne 0 ] || echo "` + slot + ` of $STREAM_API_STREAM works on, $n s"
	sleep 1 &
	wait $!
done
`
}
