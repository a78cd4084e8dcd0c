package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stream-api/config"
	"stream-api/internal/confine"
	"stream-api/program"
	"stream-api/runners"
	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// trial is what `try` was asked for.
type trial struct {
	stype, key string
	files      []string
	given      []string // scope:name=value
	place      int
	show       bool
	confine    string // none or hide in place of what the file says
}

func tryCommand(g *global) *cobra.Command {
	var o trial
	c := &cobra.Command{
		Use: "try TYPE KEY -c FILE…", Short: "Run a service's program here, once, as this host would for a stream", GroupID: "host", Args: cobra.ExactArgs(2), ValidArgsFunction: g.completes(ofTypes, ofStreams),
		Long: `Run the program of this host's service TYPE in the foreground, once, with the
environment, hooks and fresh directory it would get for stream KEY. Nothing is
reserved: what runs on air goes on, so mind sinks that take one writer.

If the stream is live its values come from the store. Others, and those that
are to differ, come from --var: stream:lang=de, source:url=http://ingest:8000,
dist:url=icecast://live:8000.

It is confined as the file says, or as --confine none or --confine hide says:
what it misses under hide it does not miss under none.

The exit code is that of the program (128 + the signal that ended it); 2 if a
value is missing, and which. INT and TERM stop it as the host would.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.stype, o.key = args[0], args[1]
			return g.try(cmd.Context(), o)
		},
	}
	c.Flags().StringArrayVarP(&o.files, "config", "c", nil, "the host's file; may repeat (default: /etc/stream-api/config.yaml)")
	c.Flags().StringArrayVar(&o.given, "var", nil, "a value, as SCOPE:NAME=VALUE with the scope stream, source or a slot; may repeat")
	c.Flags().IntVar(&o.place, "place", 0, "which of the service's places to run at")
	c.Flags().StringVar(&o.confine, "confine", "", "none or hide, in place of what the file says of the service")
	completeFlag(c, "confine", cobra.FixedCompletions([]string{"none", "hide"}, cobra.ShellCompDirectiveNoFileComp))
	c.Flags().BoolVar(&o.show, "print", false, "print what would be run, secrets masked, and run nothing")
	return c
}

func (g *global) try(ctx context.Context, o trial) error {
	if err := stream.CheckKey(o.key); err != nil {
		return usageError("%v", err)
	}
	if len(o.files) == 0 {
		o.files = []string{systemConfig}
	}
	cfg, err := config.Load(o.files...)
	if err != nil {
		return configError(err)
	}
	service := cfg.Services[o.stype]
	if service == nil {
		return unknown("service", o.stype, cfg.Services.Types())
	}
	if n := len(service.Places); o.place < 0 || n > 0 && o.place >= n {
		return usageError("%s has no place %d: they are counted from 0 to %d", o.stype, o.place, max(n-1, 0))
	}
	rec, err := g.recordFor(ctx, cfg, o)
	if err != nil {
		return err
	}
	if o.confine != "" && service.Exec != nil {
		if service.Exec.Confine, err = cfg.ConfineAs(o.stype, confine.Level(o.confine)); err != nil {
			return usageError("--confine: %v", err)
		}
	}
	at := plan.Subject{Key: rec.Key, Host: cfg.Network.Name, Token: "0-try", Place: o.place}
	v := runners.ValuesOf(runners.Seen{Record: rec, Host: at.Host}, &service.Service, "")
	o.lists(&v)
	t, err := service.Try(at, v, cfg.Lookup)
	var missing *plan.MissingError
	if errors.As(err, &missing) {
		return usageError("%s", howToGive(missing))
	}
	if err != nil {
		return err
	}
	if o.show {
		warnTrial(t)
		return printTrial(t)
	}
	if service.Exec == nil {
		say("%s runs nothing; it publishes:", o.stype)
		printVars("", t.Publishes)
		return nil
	}
	return runTrial(ctx, t)
}

// lists takes in what was given of lists, ${slot*:name}.
func (o trial) lists(v *plan.Values) {
	for _, text := range o.given {
		ref, value, _ := strings.Cut(text, "=")
		if scope, _, _ := strings.Cut(ref, ":"); strings.HasSuffix(scope, "*") {
			if v.Lists == nil {
				v.Lists = map[string]string{}
			}
			v.Lists[ref] = value
		}
	}
}

// recordFor is what is known of the stream: by the store if it is live there,
// and by --var over that.
func (g *global) recordFor(ctx context.Context, cfg *config.Config, o trial) (store.Record, error) {
	rec, err := g.liveRecord(ctx, cfg, o.key)
	if err != nil {
		say("stream-api: %v", err)
		rec = store.Record{Key: o.key, Vars: map[string]string{}, Origin: map[string]string{}, Slots: map[string]store.Slot{}}
		for _, s := range cfg.Sources {
			rec.Source, rec.Origin = s.Name, s.Stream // as it would be if this host's own source listed it
			break
		}
	}
	for _, text := range o.given {
		ref, value, ok := strings.Cut(text, "=")
		scope, name, scoped := strings.Cut(ref, ":")
		if !ok || !scoped || stream.CheckVar(name) != nil {
			return rec, usageError("--var %s: write SCOPE:NAME=VALUE, such as stream:lang=de or dist:url=icecast://live:8000", stream.Quote(text))
		}
		switch scope {
		case "stream":
			rec.Vars[name] = value
		case "source":
			rec.Origin[name] = value
		case "host", "place", "slot", "env", "file":
			return rec, usageError("--var %s: ${%s:…} comes from this host's file or machine", stream.Quote(text), scope)
		default:
			if strings.HasSuffix(scope, "*") {
				continue // of lists
			}
			slot := rec.Slots[scope]
			if slot.Vars == nil {
				slot.Vars = map[string]string{}
			}
			slot.Vars[name] = value
			rec.Slots[scope] = slot
		}
	}
	return rec, nil
}

// liveRecord reads the stream from the store that the file names, unless
// another was given; its error says why it is not known.
func (g *global) liveRecord(ctx context.Context, cfg *config.Config, key string) (store.Record, error) {
	own := *g
	if err := own.takeStoreOf(cfg); err != nil {
		return store.Record{}, fmt.Errorf("%w; values come from --var alone", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*commandTimeout)
	defer cancel()
	s, done, err := own.open(ctx)
	if err != nil {
		return store.Record{}, fmt.Errorf("%w; values come from --var alone", err)
	}
	defer done()
	rec, err := s.Record(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return rec, fmt.Errorf("%s is not live; values come from --var and the file alone", key)
	}
	return rec, err
}

// takeStoreOf makes the store of a file the one to speak to, unless another
// was given.
func (g *global) takeStoreOf(cfg *config.Config) error {
	if g.redis != "" || os.Getenv("STREAM_API_REDIS") != "" {
		return nil
	}
	address, err := cfg.Resolve(cfg.Network.Redis)
	if err != nil {
		return configError(fmt.Errorf("network.redis of %s: %w; the host's service may have it, this command does not: give --redis or STREAM_API_REDIS", strings.Join(cfg.Files, ", "), err))
	}
	g.redis, g.origin = address, strings.Join(cfg.Files, ", ")
	if g.namespace == "" && os.Getenv("STREAM_API_NAMESPACE") == "" {
		g.namespace = cfg.Network.Namespace
	}
	return nil
}

// howToGive says for each missing value where it is looked for.
func howToGive(e *plan.MissingError) string {
	text := e.Error()
	for _, ref := range e.Refs {
		switch ref.Scope {
		case "env":
			text += fmt.Sprintf("\n  %s: set %s in the environment", ref, ref.Name)
		case "file":
			text += fmt.Sprintf("\n  %s: there is no such file", ref)
		case "host":
			text += fmt.Sprintf("\n  %s: network.vars and network.labels of the file do not have it", ref)
		case "place":
			text += fmt.Sprintf("\n  %s: the place does not have it", ref)
		default:
			text += fmt.Sprintf("\n  %s: give --var %s:%s=…", ref, ref.From(), ref.Name)
		}
	}
	return text
}

// warnTrial says what of a trial could not be started here.
func warnTrial(t plan.Trial) {
	argv := [][]string{}
	for _, h := range slices.Concat(t.PreStart, t.PostStop) {
		argv = append(argv, h.Argv)
	}
	if t.Path != "" {
		argv = append(argv, []string{t.Path})
	}
	for _, command := range argv {
		path, err := supervisor.LookPath(command[0], t.Env)
		if err == nil {
			err = program.Check(path)
		}
		if err != nil {
			say("stream-api: warning: %v", err)
		}
	}
}

// printTrial prints what would be run.
func printTrial(t plan.Trial) error {
	hide := supervisor.Mask(t.Mask)
	mask := func(text string) string { return stream.Shown(hide(text)) }
	var out strings.Builder
	for _, v := range t.Env {
		fmt.Fprintf(&out, "env        %s\n", mask(v))
	}
	for _, h := range t.PreStart {
		fmt.Fprintf(&out, "pre_start  %s (within %v)\n", mask(strings.Join(h.Argv, " ")), h.Timeout.Round(time.Millisecond))
	}
	if t.Confine.Confines() {
		fmt.Fprintf(&out, "confine    %s\n", strings.Join(append([]string{string(t.Confine.Level)}, confine.Ask().Lacks()...), "; but here "))
		for _, path := range t.Confine.Hidden {
			what := "from"
			if slices.Contains(t.Confine.Own, path) {
				what = "but for"
			}
			fmt.Fprintf(&out, "  %-8s %s\n", what, mask(path))
		}
		for _, path := range t.Confine.Own {
			if !slices.Contains(t.Confine.Hidden, path) { // it lies in one
				fmt.Fprintf(&out, "  %-8s %s\n", "but for", mask(path))
			}
		}
	}
	if t.Path != "" {
		fmt.Fprintf(&out, "run        %s\n", mask(t.Path))
	}
	for _, arg := range t.Args {
		fmt.Fprintf(&out, "  arg      %s\n", mask(arg))
	}
	if t.Ready != nil {
		fmt.Fprintf(&out, "ready      %s (every %v, within %v)\n", mask(t.Ready.String()), t.Ready.Interval.Round(time.Millisecond), t.Ready.Timeout.Round(time.Millisecond))
	}
	for _, h := range t.PostStop {
		fmt.Fprintf(&out, "post_stop  %s (within %v)\n", mask(strings.Join(h.Argv, " ")), h.Timeout.Round(time.Millisecond))
	}
	if _, err := fmt.Print(lines(out.String())); err != nil {
		return err
	}
	shown := stream.StreamStatus{Vars: t.Publishes}
	stream.Show(&shown)
	printVars("publishes ", shown.Vars)
	return nil
}
