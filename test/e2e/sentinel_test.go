package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
)

// startSentinel runs a Sentinel that watches a primary under the name main.
func startSentinel(t *testing.T, port, primary int, downAfter time.Duration) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("port %d\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 %d 1\nsentinel down-after-milliseconds main %d\n",
		port, primary, downAfter.Milliseconds())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("redis-server", file, "--sentinel")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start a Sentinel (apt-get install redis-server): %v", err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Errorf("end the Sentinel: %v", err)
		}
		_ = cmd.Wait() // it was killed
	})
}

func TestTheDoctorKnowsSlowSentinels(t *testing.T) {
	t.Parallel()
	primary, replica := realtest.FreePort(t), realtest.FreePort(t)
	realtest.Redis(t, "--port", fmt.Sprint(primary), "--bind", "127.0.0.1")
	realtest.Redis(t, "--port", fmt.Sprint(replica), "--bind", "127.0.0.1", "--replicaof", "127.0.0.1", fmt.Sprint(primary))
	slow, quick, dead := realtest.FreePort(t), realtest.FreePort(t), realtest.FreePort(t)
	startSentinel(t, slow, primary, 30*time.Second)
	startSentinel(t, quick, primary, 2*time.Second)
	for _, port := range []int{slow, quick} {
		client := redis.NewSentinelClient(&redis.Options{Addr: fmt.Sprintf("127.0.0.1:%d", port)})
		t.Cleanup(func() { _ = client.Close() }) // only asked
		realtest.Await(t, 30*time.Second, fmt.Sprintf("Sentinel %d knows the replica and the other Sentinel", port), func() bool {
			row, err := client.Master(t.Context(), "main").Result()
			return err == nil && row["num-slaves"] == "1" && row["num-other-sentinels"] == "1"
		})
	}
	url := fmt.Sprintf("redis+sentinel://main@127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d/0", slow, quick, dead)
	out, errOut, code := realrun.Command(t, url, "doctor")
	for _, want := range []string{
		fmt.Sprintf("Sentinel 127.0.0.1:%d waits 30s", slow), "SENTINEL SET main down-after-milliseconds 5000",
		fmt.Sprintf("Sentinel 127.0.0.1:%d takes main for dead after 2s", quick),
		fmt.Sprintf("Sentinel 127.0.0.1:%d does not tell of main", dead),
		"2 Sentinels watch main", "min-replicas-to-write is 0", "1 replicas",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the doctor does not say %q", want)
		}
	}
	if code != 1 || t.Failed() {
		t.Errorf("exit %d, want 1:\n%s%s", code, out, errOut)
	}
}
