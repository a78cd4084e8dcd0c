package confine

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What operators run, under the policy of a host: each does its work as without.
func TestRealProgramsWorkUnderHide(t *testing.T) {
	t.Parallel()
	needLandlock(t, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "answered") }))
	t.Cleanup(server.Close)
	for program, script := range map[string]string{
		"ffmpeg": `ffmpeg -nostdin -v error -f lavfi -i sine=duration=1 -progress "unix:$PROG" -c:a flac -f segment -segment_time 0.3 "$RECORDINGS/%d.mka" && ls "$RECORDINGS" | grep -q 2.mka && echo good`,
		"curl":   `echo "user = a:b" > auth && [ "$(curl -sS -K auth "$URL")" = answered ] && echo good`,
		"python3": `python3 -c 'import tempfile, subprocess, ssl, socket, os
ssl.create_default_context(); socket.getaddrinfo("localhost", 80)
open("x", "w").write("1"); os.rename("x", "y")
print(subprocess.check_output("cat y | tr 1 g; printf ood", shell=True).decode())'`,
		"bash": `mkfifo p && { echo good > p & } && read x < p && cat <(echo "$x") && : > "$VARS" && echo a=1 >> "$VARS"`,
		"awk":  `seq 3 | awk '{s+=$1} END {print s}' | sed s/6/good/ | tee "$RECORDINGS/t"`,
	} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(program); err != nil {
				t.Skip(err)
			}
			w := makeWorld(t, os.Getuid())
			p := w.policy()
			p.Hidden = append(p.Hidden, "/etc/stream-api/config.yaml", "/var/lib/stream-api", "/run/secrets/x")
			own := filepath.Join(w.Dir, "state/s/own")
			passage, err := p.Passage(w.mine()...)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("/bin/bash", "-c", script)
			cmd.Dir = filepath.Join(own, "work")
			cmd.Env = []string{
				"PATH=" + os.Getenv("PATH"), "HOME=/", "LANG=C.UTF-8", "PROG=" + filepath.Join(own, "prog"), "VARS=" + filepath.Join(own, "io/vars"),
				"RECORDINGS=" + w.at("recordings"), "URL=" + server.URL,
			}
			out, err := runCombined(passage, cmd)
			if err != nil || strings.TrimSpace(out) != "good" {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func runCombined(passage *Passage, cmd *exec.Cmd) (string, error) {
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	err := passage.Wrap(cmd)(cmd.Run())
	return out.String(), err
}
