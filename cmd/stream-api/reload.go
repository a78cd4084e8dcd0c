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
	"stream-api/runners"
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
		if err := runners.CheckStateDir(running.StateDir); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"check-config", "--identity"}, running.Files...)...)
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

// identity is what must not change while children run on, a line each.
func identity(c *config.Config) []string {
	values := map[string]string{
		"network.name": c.Network.Name, "network.redis": c.Network.Redis.String(),
		"network.namespace": c.Network.Namespace, "state_dir": c.StateDir,
	}
	lines := make([]string, 0, len(config.Identity))
	for _, name := range config.Identity {
		lines = append(lines, fmt.Sprintf("%s=%q", name, values[name]))
	}
	return lines
}
