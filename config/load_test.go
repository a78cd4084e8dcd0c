package config

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"stream-api/runners/supervisor"
)

// The machine of the tests has no cpusets.
func init() {
	checkMachine = func(l supervisor.Limits) error {
		if l.CPUs == "" {
			return nil
		}
		return errors.Join(errors.New("limits.cpus: there is no controller cpuset in cgroup v2"))
	}
}

// update rewrites the goldens; what changed is then read with git diff.
var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with a file; one that is absent is a failure.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("no golden: %v (make it with -update and read it)", err)
	}
	if got != string(want) {
		t.Errorf("differs from %s\n--- got\n%s\n--- want\n%s", path, got, want)
	}
}

func testHostname() (string, error) { return "Test-Host", nil }

// loadFiles is Load with a fixed host name, and names without directories so
// that goldens do not depend on where they lie.
func loadFiles(t *testing.T, paths ...string) (*Config, error) {
	t.Helper()
	var files []File
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{Name: filepath.Base(path), Data: data})
	}
	return load(testHostname, files...)
}

func mustLoad(t *testing.T, paths ...string) *Config {
	t.Helper()
	c, err := loadFiles(t, paths...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := load(testHostname, File{Name: "test.yaml", Data: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBadFilesAreRefusedWithTheirGoldenText(t *testing.T) {
	paths, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal("no bad files", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := loadFiles(t, path)
			if err == nil {
				t.Fatal("the file was accepted")
			}
			var wrong *Error
			if !errors.As(err, &wrong) {
				t.Fatalf("%T is no *Error: %v", err, err)
			}
			if wrong.ExitCode() != 2 {
				t.Errorf("exit code %d", wrong.ExitCode())
			}
			checkPositions(t, wrong)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the message shows a password:\n%v", err)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".golden", err.Error()+"\n")
		})
	}
}

func TestEveryGoldenHasItsFile(t *testing.T) {
	for _, dir := range []string{"bad", "good"} {
		goldens, _ := filepath.Glob("testdata/" + dir + "/*.golden")
		for _, path := range goldens {
			if _, err := os.Stat(strings.TrimSuffix(path, ".golden") + ".yaml"); err != nil {
				t.Error(err)
			}
		}
	}
}

func checkPositions(t *testing.T, wrong *Error) {
	t.Helper()
	if len(wrong.Problems) == 0 {
		t.Error("an error without a problem")
	}
	for _, p := range wrong.Problems {
		if p.File == "" || p.Line < 1 || p.Column < 1 || p.Message == "" {
			t.Errorf("no position or message: %+v", p)
		}
	}
}

func TestAFileThatIsNotThereIsNamed(t *testing.T) {
	_, err := Load("testdata/good/common.yaml", "testdata/nowhere.yaml", "testdata/neither.yaml")
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
	for _, name := range []string{"nowhere.yaml", "neither.yaml"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
}

func TestWithoutAFileThereIsNoConfiguration(t *testing.T) {
	if _, err := Load(); err == nil {
		t.Error("accepted")
	}
}

func TestProblemsOfSeveralFilesNameTheRightOne(t *testing.T) {
	_, err := load(testHostname,
		File{Name: "common.yaml", Data: []byte("lease: {ttl: 10}\nservices:\n  dist: {plugin: static, capacity: x}\n")},
		File{Name: "host.yaml", Data: []byte("network: {name: UPPER}\nservices:\n  dist: {capacity: y}\n")},
	)
	if err == nil {
		t.Fatal("accepted")
	}
	var places []string
	for _, p := range err.(*Error).Problems {
		places = append(places, p.Position.String())
	}
	// The capacity of common.yaml is replaced, so only host.yaml's counts.
	got := strings.Join(places, " ")
	if want := "common.yaml:1:14 host.yaml:1:17 host.yaml:3:20"; got != want {
		t.Errorf("got %s, want %s\n%v", got, want, err)
	}
}

func TestTheHostNameOfTheMachineIsTheDefault(t *testing.T) {
	if c := parse(t, ""); c.Network.Name != "test-host" {
		t.Errorf("got %q", c.Network.Name)
	}
	for name, hostname := range map[string]func() (string, error){
		"not legal": func() (string, error) { return "my_host", nil },
		"not known": func() (string, error) { return "", errors.New("no name") },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(hostname, File{Name: "x.yaml"})
			if err == nil || !strings.Contains(err.Error(), "x.yaml:1:1: network.name: ") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Descriptions are goldens, too: they are what check-config prints. Lines
// about this machine are left out.
func TestDescriptionsOfGoodFiles(t *testing.T) {
	t.Setenv("STREAM_API_TEST_TOKEN", "hunter2")
	t.Setenv("STREAM_API_TEST_PASSWORD", "hunter2")
	for name, paths := range map[string][]string{
		"good/reference": {"testdata/good/reference.yaml"},
		"good/full":      {"testdata/good/full.yaml"},
		"good/host":      {"testdata/good/common.yaml", "testdata/good/host.yaml"},
		"good/secrets":   {"testdata/good/secrets.yaml"},
		"good/chain":     {"testdata/good/chain.yaml"},
		"good/near":      {"testdata/good/near.yaml"},
		"good/jobs":      {"testdata/good/jobs.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := mustLoad(t, paths...).Describe(&out); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "hunter2") {
				t.Errorf("the description shows a secret:\n%s", out.String())
			}
			golden(t, "testdata/"+name+".golden", out.String())
		})
	}
}

var machineDependent = regexp.MustCompile(`in PATH|does not exist|is not executable|cannot be read|is not set here`)

func warningsOf(c *Config) []string {
	var texts []string
	for _, w := range c.Warnings {
		if !machineDependent.MatchString(w.Message) {
			texts = append(texts, w.Path+": "+w.Message)
		}
	}
	return texts
}
