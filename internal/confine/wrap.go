package confine

import (
	"errors"
	"os/exec"
)

// Wrap makes cmd, which has not begun and hands over no files of its own, go through the passage. What it returns is called once
// with the error of starting or running cmd, and gives why the program did not run in its place.
func (w *Passage) Wrap(cmd *exec.Cmd) func(error) error {
	if cmd.Err == nil {
		cmd.Path, cmd.Args, cmd.ExtraFiles = w.Command(cmd.Path, cmd.Args)
	}
	return func(err error) error {
		if cmd.Process == nil {
			w.Close()
			return err
		}
		why := w.Await()
		if why == nil || errors.Is(why, ErrStillborn) && err != nil {
			return err
		}
		return why
	}
}
