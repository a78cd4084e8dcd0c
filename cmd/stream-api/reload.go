package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"stream-api/config"
	"stream-api/internal/orphans"
	"stream-api/runners/statedir"
)

// checkLimit bounds how long the new program may look at the new file.
const checkLimit = 20 * time.Second

// reload finds out whether the process may become its program anew with its
// files as they are now, and gives the program's path. The program that will
// run does the checking: it may be another version than this one.
func reload(ctx context.Context, running *config.Config) (string, error) {
	if running.Network.Redis.String() == config.Embedded {
		return "", errors.New("the embedded store would lose everything; restart instead")
	}
	program := self()
	if hosting(running) {
		if err := statedir.Check(running.StateDir); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"check-config", "--identity"}, running.Paths...)...)
	cmd.Env = append(os.Environ(), listeningVariable+"="+running.Web.Listen)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := orphans.Run(cmd); err != nil {
		return "", fmt.Errorf("%s check-config: %w: %s", program, err, strings.TrimSpace(complaint.String()))
	}
	want := identity(running)
	got := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	for i, line := range want {
		if i >= len(got) || got[i] != line {
			name, _, _ := strings.Cut(line, "=")
			return "", fmt.Errorf("%s changed, which needs a restart: drain the host, stop it, start it", name)
		}
	}
	return program, nil
}

// identity is what must not change while children run on, a line each: the
// keys that make a host's running slots its own. The URL of Redis counts as
// written: a changed secret behind ${file:…} is no other store.
func identity(c *config.Config) []string {
	return []string{
		fmt.Sprintf("network.name=%q", c.Network.Name),
		fmt.Sprintf("network.redis=%q", c.Network.Redis.String()),
		fmt.Sprintf("network.namespace=%q", c.Network.Namespace),
		fmt.Sprintf("state_dir=%q", c.StateDir),
	}
}
