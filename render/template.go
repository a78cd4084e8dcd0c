package render

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"text/template"
	"time"

	"stream-api/stream"
)

// maxOutput bounds what a template may write, in bytes.
const maxOutput = 64 << 20

// Template is one that was read. Its zero value is none; make one with Parse.
type Template struct {
	parsed *template.Template
	text   string
}

// Parse reads a template; name is how errors call it. Its error says the line.
func Parse(name, text string) (*Template, error) {
	// A variable that nobody publishes is empty; a misspelt field is an error, as the picture is made of structs.
	t := template.New(name).Option("missingkey=zero").Funcs((&scene{}).functions())
	if _, err := t.Parse(text); err != nil {
		return nil, fmt.Errorf("template %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	return &Template{parsed: t, text: text}, nil
}

// Output is what a template came to.
type Output struct {
	Text []byte
	// Serial tells that the text holds the moment that was given, so that it says nothing of whether the rest changed.
	Serial bool
	// Masked tells that the text shows a secret as ***, and the template itself does not.
	Masked bool
}

// ErrFails: the template itself says, by fail, that nothing is to be written now.
var ErrFails = errors.New("the template says fail")

// Fill fills the template in. changed is what `serial` gives: when the file last changed. The picture's texts are fit to
// be shown already. Its error says the place in the template.
func (t *Template) Fill(picture stream.Status, changed time.Time, env func(string) string) (Output, error) {
	s := &scene{picture: picture, changed: changed, env: env}
	run, err := t.parsed.Clone()
	if err != nil {
		return Output{}, err
	}
	out := &bounded{}
	if err := run.Funcs(s.functions()).Execute(out, picture); err != nil {
		return Output{}, explain(err)
	}
	text := out.Bytes()
	masked := bytes.Contains(text, []byte(stream.Masked)) && !strings.Contains(t.text, stream.Masked)
	return Output{Text: text, Serial: s.serialUsed, Masked: masked}, nil
}

// noField is how text/template says that a name is none of ours.
var noField = regexp.MustCompile(`can't evaluate field (\w+) in type (?:\*|\[\])*(?:stream|render)\.(\w+)`)

// explain makes an error of text/template one that says what to write instead.
func explain(err error) error {
	text := strings.TrimPrefix(err.Error(), "template: ")
	hint := ""
	if m := noField.FindStringSubmatch(text); m != nil {
		if best := nearestField(m[1]); best != "" {
			hint = "; did you mean ." + best + "?"
		} else {
			hint = "; the names are those of `status -o json`, in Go's spelling"
		}
	}
	if errors.Is(err, ErrFails) {
		return fmt.Errorf("template %s%w", strings.TrimSuffix(text, ErrFails.Error()), ErrFails)
	}
	return fmt.Errorf("template %s%s", text, hint)
}

// bounded is a buffer that a template without an end does not fill the memory with.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxOutput {
		return 0, fmt.Errorf("it writes more than %d MiB", maxOutput>>20)
	}
	return b.Buffer.Write(p)
}
