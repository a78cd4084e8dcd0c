package realtest

import (
	"bytes"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// Publisher is a real ffmpeg that publishes a tiny test picture, or plays.
type Publisher struct {
	t      testing.TB
	run    *process
	stderr *lockedBuffer
}

// Publish starts an ffmpeg that publishes to a URL until the test ends.
// Options are output options, such as "-f", "flv" or "-ice_name", "-"; the
// codecs follow from the format. 64×48 pixels at 5 a second cost about 1 % of
// a core.
func Publish(t testing.TB, to string, options ...string) *Publisher {
	t.Helper()
	args := []string{
		"-hide_banner", "-loglevel", "error", "-nostdin",
		"-re", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=5",
		"-re", "-f", "lavfi", "-i", "anullsrc=sample_rate=44100:channel_layout=mono",
		"-threads", "1", "-g", "5",
	}
	codecs := []string{"-c:v", "libvpx", "-b:v", "50k", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libvorbis", "-cluster_time_limit", "500"}
	if slices.Contains(options, "flv") {
		codecs = []string{"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-c:a", "aac", "-b:a", "32k"}
	}
	return ffmpeg(t, append(append(append(args, codecs...), options...), to))
}

// Play starts an ffmpeg that plays a URL until the test ends, and throws away
// what it gets.
func Play(t testing.TB, from string) *Publisher {
	t.Helper()
	return ffmpeg(t, []string{"-hide_banner", "-loglevel", "error", "-nostdin", "-i", from, "-c", "copy", "-f", "null", "-"})
}

func ffmpeg(t testing.TB, args []string) *Publisher {
	t.Helper()
	p := &Publisher{t: t, stderr: &lockedBuffer{}}
	cmd := exec.Command(find(t, "ffmpeg", "ffmpeg"), args...)
	cmd.Stderr = p.stderr
	var err error
	if p.run, err = start(cmd); err != nil {
		t.Fatalf("start ffmpeg: %v", err)
	}
	t.Cleanup(func() {
		if err := p.run.end(syscall.SIGKILL); err != nil {
			t.Errorf("end ffmpeg: %v", err)
		}
	})
	return p
}

// Stop ends the publisher at once; its connection closes, so that a server
// notices.
func (p *Publisher) Stop() {
	p.t.Helper()
	if err := p.run.end(syscall.SIGKILL); err != nil {
		p.t.Errorf("end ffmpeg: %v", err)
	}
}

// Freeze halts the publisher with its connection open (SIGSTOP), as one that
// lost its power does.
func (p *Publisher) Freeze() {
	p.t.Helper()
	if err := p.run.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		p.t.Fatalf("freeze ffmpeg: %v", err)
	}
}

// Running tells whether it still publishes; if not, Complaint says why.
func (p *Publisher) Running() bool {
	select {
	case <-p.run.done:
		return false
	default:
		return true
	}
}

// Complaint is what ffmpeg wrote.
func (p *Publisher) Complaint() string { return p.stderr.String() }

// lockedBuffer may be read while the process writes.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
