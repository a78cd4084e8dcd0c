package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// toldLimit is how long the command of render may take: a reload is told, not waited for.
const toldLimit = 30 * time.Second

// runTold runs the command of render, whose output is this process'. What it started ends with it where it takes too long.
func runTold(ctx context.Context, argv []string) error {
	ctx, cancel := context.WithTimeout(ctx, toldLimit)
	defer cancel()
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Stdout, c.Stderr = os.Stderr, os.Stderr // stdout is for results
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second
	err := c.Run()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s was ended after %v", argv[0], toldLimit)
	case err != nil && c.ProcessState != nil:
		return fmt.Errorf("%s: %w", argv[0], err)
	}
	return err // the program's name is in it
}
