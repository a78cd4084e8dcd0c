package release

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// database makes one of vulnerabilities with one entry: a function of module.
func database(t *testing.T, module, pkg, symbol string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"index/db.json":      `{"modified":"2026-01-01T00:00:00Z"}`,
		"index/modules.json": `[{"path":"` + module + `","vulns":[{"id":"GO-2026-0001","modified":"2026-01-01T00:00:00Z"}]}]`,
		"index/vulns.json":   `[{"id":"GO-2026-0001","modified":"2026-01-01T00:00:00Z"}]`,
		"ID/GO-2026-0001.json": `{"schema_version":"1.3.1","id":"GO-2026-0001","modified":"2026-01-01T00:00:00Z","published":"2026-01-01T00:00:00Z",
			"summary":"made up","details":"made up","affected":[{"package":{"name":"` + module + `","ecosystem":"Go"},
			"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}],"ecosystem_specific":{"imports":[{"path":"` + pkg + `","symbols":["` + symbol + `"]}]}}],
			"database_specific":{"url":"https://pkg.go.dev/vuln/GO-2026-0001"}}`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return "file://" + dir
}

func TestVulnSaysWhatItFoundAndWhatItCouldNotAsk(t *testing.T) {
	for _, row := range []struct {
		what, db, says string
		code           int
	}{
		{"a function that is called", database(t, "github.com/redis/go-redis/v9", "github.com/redis/go-redis/v9", "NewClient"), "GO-2026-0001", 1},
		{"no such place", "http://127.0.0.1:1", "NOTHING WAS CHECKED", 2},
	} {
		out, err := exec.Command("../vuln.sh", "-db", row.db).CombinedOutput()
		code := 0
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			code = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if code != row.code || !strings.Contains(string(out), row.says) {
			t.Errorf("%s: exit code %d, want %d, and %q in:\n%s", row.what, code, row.code, row.says, out)
		}
	}
}
