package main

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// sections are the parts of docs/commands.md by their headings.
func sections(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	name := ""
	for line := range strings.Lines(string(text)) {
		if heading, ok := strings.CutPrefix(line, "#"); ok && strings.Contains(line, "# ") {
			name = strings.TrimSpace(strings.TrimLeft(heading, "#"))
		}
		out[name] += line
	}
	return out
}

func TestEveryCommandAndFlagIsInItsPage(t *testing.T) {
	t.Parallel()
	page := sections(t)
	commands := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() && sub.Name() != "help" {
				walk(sub)
			}
		}
		if c.HasSubCommands() && c.Name() != "completion" || !c.HasParent() {
			return
		}
		commands++
		name := strings.TrimPrefix(c.CommandPath(), "stream-api ")
		if shell, ok := strings.CutPrefix(name, "completion "); ok {
			name = "completion"
			if !strings.Contains(page[name], shell) {
				t.Errorf("completion for %s is not in docs/commands.md", shell)
			}
		}
		text, ok := page[name]
		if !ok {
			t.Errorf("docs/commands.md has no section %q", name)
			return
		}
		if !strings.Contains(text, "```sh\nstream-api "+name) {
			t.Errorf("section %q of docs/commands.md has no example", name)
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			switch {
			case f.Hidden || f.Name == "help" || c.InheritedFlags().Lookup(f.Name) != nil:
			case !strings.Contains(text, "--"+f.Name):
				t.Errorf("section %q of docs/commands.md does not say --%s", name, f.Name)
			case f.Shorthand != "" && !strings.Contains(text, "-"+f.Shorthand):
				t.Errorf("section %q of docs/commands.md does not say -%s", name, f.Shorthand)
			}
		})
	}
	walk(rootCommand())
	if commands < 20 {
		t.Errorf("only %d commands were looked at", commands)
	}
	rootCommand().PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(page["Commands"], "--"+f.Name) {
			t.Errorf("docs/commands.md does not say --%s", f.Name)
		}
	})
}

func TestEveryFieldOfTheJSONIsInItsPage(t *testing.T) {
	t.Parallel()
	text := sections(t)["JSON"]
	seen := map[reflect.Type]bool{}
	var check func(of reflect.Type)
	check = func(of reflect.Type) {
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice || of.Kind() == reflect.Map {
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct || seen[of] || of.PkgPath() == "time" {
			return
		}
		seen[of] = true
		for i := range of.NumField() {
			f := of.Field(i)
			tag, ok := f.Tag.Lookup("json")
			name, options, _ := strings.Cut(tag, ",")
			if strings.Contains(options, "omit") {
				name += "?"
			}
			if ok && !strings.Contains(text, "`"+name+"`") {
				t.Errorf("%s: `%s` is not in docs/commands.md", of, name)
			}
			check(f.Type)
		}
	}
	for _, v := range []any{stream.Status{}, stream.WhyStatus{}, stream.JobStatus{}, serviceRow{}, store.Event{}, store.Finding{}, supervisor.LogLine{}, checkJSON{}, versionJSON{}} {
		check(reflect.TypeOf(v))
	}
	if len(seen) < 12 {
		t.Errorf("only %d types were looked at", len(seen))
	}
}
