package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"stream-api/config"
	"stream-api/stream"
)

// TestPublishersHaveScriptsAskNobodyElse gives each shipped command a playlist
// where it expects a stream.
func TestPublishersHaveScriptsAskNobodyElse(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	var asked atomic.Int32
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		http.NotFound(w, nil)
	}))
	defer inside.Close()
	publisher := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "video/x-matroska")
		if strings.HasPrefix(r.URL.Path, "/dash") {
			_, _ = fmt.Fprintf(w, `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT10S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><BaseURL>%s/dash</BaseURL><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>%s/dash</BaseURL></Representation></AdaptationSet></Period></MPD>`, inside.URL, inside.URL)
			return
		}
		_, _ = fmt.Fprintf(w, "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n%s/x.ts\n#EXT-X-ENDLIST\n", inside.URL)
	}))
	defer publisher.Close()
	run := func(cmd *exec.Cmd) string {
		cmd.Dir = t.TempDir()
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		timer := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		out, _ := cmd.CombinedOutput() // it fails, as it should
		return string(out)
	}
	for _, path := range []string{"/s1", "/dash"} {
		if out := run(exec.Command("ffmpeg", "-nostdin", "-i", publisher.URL+path, "-f", "null", "-")); asked.Swap(0) == 0 {
			if path == "/s1" {
				t.Fatalf("an ffmpeg without whitelists asks nobody else; then this shows nothing: %s", out)
			}
			t.Logf("this ffmpeg takes no %s", path)
		}
		commands := map[string]*exec.Cmd{}
		for _, script := range []string{"transcode.sh", "thumbnail.sh"} {
			file, err := filepath.Abs("../../deploy/compose/" + script)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("sh", file)
			cmd.Env = append(os.Environ(), "pull_url="+publisher.URL+path, "push_url=out.mkv", "STREAM_API_PROGRESS=progress")
			commands[script] = cmd
		}
		c, err := config.Load("../../deploy/examples/single-box/config.yaml")
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"transcode", "record"} {
			var args []string
			for _, arg := range c.Services[kind].Plugin.Exec.Args {
				text, err := arg.Resolve(func(ref stream.Ref) (string, bool, error) {
					return map[string]string{"source:url": publisher.URL, "stream:key": strings.TrimPrefix(path, "/"), "transcode:h264_url": publisher.URL + path}[ref.String()[2:len(ref.String())-1]], true, nil
				})
				if err != nil {
					t.Fatal(err)
				}
				args = append(args, text)
			}
			commands["single-box "+kind] = exec.Command(c.Services[kind].Plugin.Exec.Path, args...)
		}
		for name, cmd := range commands {
			out := run(cmd)
			if n := asked.Swap(0); n > 0 {
				t.Errorf("%s asked another server %d times for what %s names", name, n, path)
			}
			if !strings.Contains(out, "whitelist") {
				t.Errorf("%s with %s did not fail by its whitelists: %.600s", name, path, out)
			}
		}
	}
}
