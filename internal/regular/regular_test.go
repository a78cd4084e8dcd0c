package regular

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Whatever else than a file lies there is told from a file, and nobody waits for it.
func TestOnlyAFileIsReadOrWritten(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	secret := filepath.Join(root, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, place := range map[string]func(path string) error{
		"a pipe":          func(path string) error { return unix.Mkfifo(path, 0o600) },
		"a symbolic link": func(path string) error { return os.Symlink(secret, path) },
		"a directory":     func(path string) error { return os.Mkdir(path, 0o700) },
		"a socket": func(path string) error {
			l, err := net.Listen("unix", path)
			if err == nil {
				t.Cleanup(func() { _ = l.Close() })
			}
			return err
		},
		"bytes": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<30))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := place(path); err != nil {
				t.Fatal(err)
			}
			text, err := Read(path, 1000)
			if !errors.Is(err, ErrOdd) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), path) {
				t.Errorf("read %q, %v", text, err)
			}
			if name == "bytes" {
				return
			}
			for _, flag := range []int{os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND | os.O_CREATE} {
				if f, err := Open(path, flag, 0o600); !errors.Is(err, ErrOdd) {
					t.Errorf("opened with %x: %v, %v", flag, f, err)
				}
			}
			aside, err := SetAside(path)
			if _, statErr := os.Lstat(path); err != nil || aside != path+".odd1" || !errors.Is(statErr, fs.ErrNotExist) {
				t.Errorf("set aside: %q, %v, %v", aside, err, statErr)
			}
		})
	}
	if text, err := os.ReadFile(secret); err != nil || string(text) != "secret" {
		t.Errorf("the link was followed: %q, %v", text, err)
	}
}

func TestReplaceFollowsNoLink(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	other, path := filepath.Join(root, "other"), filepath.Join(root, "f")
	for i, write := range []func(string, []byte, fs.FileMode) error{Replace, Keep} {
		for _, link := range []string{path, path + NewSuffix} {
			if err := errors.Join(os.RemoveAll(path), os.WriteFile(other, []byte("old"), 0o600), os.Symlink(other, link)); err != nil {
				t.Fatal(err)
			}
			if err := write(path, []byte("new"), 0o600); err != nil {
				t.Fatal(err)
			}
			text, err := Read(path, 3)
			if err != nil || string(text) != "new" {
				t.Errorf("%d: %q, %v", i, text, err)
			}
			if text, err := os.ReadFile(other); err != nil || string(text) != "old" {
				t.Errorf("%d: through %s: %q, %v", i, link, text, err)
			}
		}
	}
}

func TestWhatHangsIsLeftBehindOnce(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	answer, dropped := make(chan struct{}), make(chan int, 1)
	ask := func() (int, error) {
		return Within(10*time.Millisecond, path, func() (int, error) { <-answer; return 7, nil }, func(n int) { dropped <- n })
	}
	if _, err := ask(); !errors.Is(err, ErrHangs) {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := Within(time.Minute, path, func() (int, error) { t.Error("asked again"); return 0, nil }, nil); !errors.Is(err, ErrHangs) {
			t.Fatal(err)
		}
	}
	close(answer)
	if n := <-dropped; n != 7 {
		t.Errorf("let go of %d", n)
	}
	for {
		n, err := Within(time.Minute, path, func() (int, error) { return 8, nil }, nil)
		if err == nil && n == 8 {
			return
		}
		if !errors.Is(err, ErrHangs) {
			t.Fatal(err)
		}
	}
}

func TestANameBelowADirectoryLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "dir")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{filepath.Join(top, "outside"), filepath.Join(dir, "a"), filepath.Join(dir, "sub", "b")} {
		if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"inside": "sub", "up": "..", "absolute": top, "last": "a"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, good := range map[string]bool{
		"a": true, "sub/b": true, "inside/b": true,
		"../outside": false, "up/outside": false, "absolute/outside": false, "last": false, "sub": false, "none": false, filepath.Join(top, "outside"): false,
	} {
		text, err := ReadBelow(dir, name, 10)
		if good != (err == nil && string(text) == "text") {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if text, err := ReadBelow(dir, "a", 3); !errors.Is(err, ErrOdd) {
		t.Errorf("more than was asked for: %q, %v", text, err)
	}
}
