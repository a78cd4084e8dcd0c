package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"stream-api/stream"
)

// Source is where the picture comes from: the store, or a page.
type Source interface {
	// Read gives the picture, its texts fit to be shown. An error keeps what was written.
	Read(context.Context) (stream.Status, error)
	// Hints has a value when something may have changed. It may be missed, and come without a change.
	Hints() <-chan struct{}
}

// Job keeps one file as a template says.
type Job struct {
	Template string // its path
	Output   string // the file's path
	Source   Source
	// Command tells whoever reads the file that it changed; nil: nobody.
	Command func(context.Context) error
	// Settle is the least time between two rounds, and so between two commands.
	Settle time.Duration
	// Say tells the operator, a line at a time.
	Say func(format string, args ...any)
	Env func(string) string
	// Now is the wall clock, of which the file's serial is made.
	Now func() time.Time
}

// ErrTemplate: the template cannot be read, or is none.
var ErrTemplate = errors.New("nothing can be rendered")

// errHold: the store may have forgotten what runs.
var errHold = errors.New("on hold")

// load reads the template. It is read anew each round, so that a change of it needs no restart.
func (j *Job) load() (*Template, error) {
	text, err := os.ReadFile(j.Template)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	t, err := Parse(j.Template, string(text))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	return t, nil
}

// Print gives what would be written now, and whatever keeps it from being written.
func (j *Job) Print(ctx context.Context) ([]byte, error) {
	t, err := j.load()
	if err != nil {
		return nil, err
	}
	picture, err := j.Source.Read(ctx)
	if err != nil {
		return nil, err
	}
	if picture.Hold != nil {
		j.Say("on hold: %s; a file would not be written now", picture.Hold.Reason)
	}
	out, err := t.Fill(picture, j.Now(), j.Env)
	if err == nil && out.Masked {
		j.Say("%s", maskedText)
	}
	return out.Text, err
}

const maskedText = "the text shows a secret as ***: passwords in URLs and variables named like secrets leave no status; give them to the template by env, or have its reader get them elsewhere"

// Once brings the file up to date and tells its reader. Its error says why not, and leaves the file as it was.
func (j *Job) Once(ctx context.Context) error {
	if _, err := j.write(ctx); err != nil {
		return fmt.Errorf("%w; %s stays as it is", err, j.Output)
	}
	return j.tell(ctx)
}

// write brings the file up to date, and says whether it changed.
func (j *Job) write(ctx context.Context) (changed bool, err error) {
	t, err := j.load()
	if err != nil {
		return false, err
	}
	picture, err := j.Source.Read(ctx)
	if err != nil {
		return false, err
	}
	if picture.Hold != nil {
		return false, fmt.Errorf("%w: %s", errHold, picture.Hold.Reason)
	}
	file, err := look(j.Output)
	if err != nil {
		return false, err
	}
	was, now := time.Unix(0, 0), j.Now()
	if file.info != nil {
		was = file.info.ModTime()
	}
	out, err := t.Fill(picture, was, j.Env)
	if err != nil {
		return false, err
	}
	if file.info != nil && bytes.Equal(out.Text, file.text) {
		return false, nil
	}
	if !now.After(was.Add(time.Second)) {
		now = was.Add(time.Second) // a serial grows, whatever the clock says
	}
	if out.Serial {
		if out, err = t.Fill(picture, now, j.Env); err != nil {
			return false, err
		}
	}
	if out.Masked {
		j.Say("%s", maskedText)
	}
	if j.Command != nil {
		if err := file.owe(); err != nil {
			return false, fmt.Errorf("note that the command is due: %w", err)
		}
	}
	return true, file.replace(out.Text, now)
}

// tell has whoever reads the file told, if that is due.
func (j *Job) tell(ctx context.Context) error {
	if j.Command == nil {
		return nil
	}
	file, err := look(j.Output)
	if err != nil || !file.isDue() {
		return err
	}
	if err := j.Command(ctx); err != nil {
		return fmt.Errorf("the command failed, and is due until it does not: %w", err)
	}
	return file.settle()
}
