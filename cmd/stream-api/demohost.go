package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// demoProcess is one host of the demo. Its one goroutine waits for the
// process and ends with it.
type demoProcess struct {
	name string
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{}
}

func startDemoHost(dir, name string) (*demoProcess, error) {
	log, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", name, err)
	}
	p := &demoProcess{name: name, log: log, done: make(chan struct{})}
	p.cmd = exec.Command(self(), "run", "-c", filepath.Join(dir, "common.yaml"), "-c", filepath.Join(dir, name+".yaml"))
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// A group of its own: Ctrl-C is for the demo, which lets its hosts leave.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("host %s: %w", name, err), log.Close())
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ended is in ProcessState, why in its log
	}()
	return p, nil
}

func (p *demoProcess) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// kill ends the process without warning, as a crash does.
func (p *demoProcess) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill host %s: %w", p.name, err)
	}
	<-p.done
	return p.log.Close()
}

// leave asks the process to end its children and itself.
func (p *demoProcess) leave(within time.Duration) error {
	if !p.alive() {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end host %s: %w", p.name, err)
	}
	select {
	case <-p.done:
		return p.log.Close()
	case <-time.After(within):
		return errors.Join(fmt.Errorf("host %s does not end; it is killed, its children end by their deadline", p.name), p.kill())
	}
}
