package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"stream-api/config"
	"stream-api/runners/statedir"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// maxTail is how many lines a host's API gives at most.
const maxTail = 10_000

var (
	// errNowhere: nobody holds the slot, and no log of it is here.
	errNowhere = errors.New("it runs nowhere")
	// errUnreached: the host could not be asked, or could not answer now.
	errUnreached = errors.New("cannot be asked now")
)

// reader is one `logs`: what it was asked for, and where it may look.
type reader struct {
	key, slot string
	tail      int
	follow    bool
	files     []string // of -c: this machine's host
	stateDir  string   // of --state-dir: nowhere else is looked
	tokenFile string
	insecure  bool // plain http may leave this machine
	print     func(supervisor.LogLine) error
	here      *config.Config // of this machine; nil: it is no host
}

func logsCommand(g *global) *cobra.Command {
	var r reader
	c := &cobra.Command{
		Use: "logs STREAM SLOT", Short: "What a slot's child printed, from whatever host has it", GroupID: "look", Args: cobra.ExactArgs(2), ValidArgsFunction: g.completes(ofStreams, ofSlots),
		Long: `What a slot's child printed, from whatever host has it: from this machine's
state directory, or through the API of the host that runs it.

A host shows its logs to others if its web.listen is not loopback; that needs
its token, from --token-file or $STREAM_API_WEB_TOKEN. The token itself is not
sent, only a proof that is good for a minute and for this log of this host. A
page without TLS on another machine is asked only with --insecure. With -f the
log is followed from host to host as the slot moves.

Which host this machine is, is said by /etc/stream-api/config.yaml; one that
runs with other files is named by them, each with -c.

Marks: out and err are the child's, hook is a hook's, sup the supervisor's own
remarks.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.key, r.slot = args[0], args[1]
			asJSON, err := g.json()
			if err != nil {
				return err
			}
			r.print = printLogLine
			if asJSON {
				r.print = printLogJSON
			}
			if err := r.check(); err != nil {
				return err
			}
			if r.stateDir != "" {
				return r.readDir(cmd.Context(), r.stateDir)
			}
			if err := r.loadHere(g); err != nil {
				return err
			}
			return g.with(cmd, r.read)
		},
	}
	g.outputFlag(c)
	c.Flags().StringArrayVarP(&r.files, "config", "c", nil, "the file of this machine's host; may repeat (default: /etc/stream-api/config.yaml, if it is there)")
	c.Flags().BoolVarP(&r.follow, "follow", "f", false, "stay, and print what is added")
	c.Flags().IntVarP(&r.tail, "lines", "n", 200, "how many of the last lines, 0 to 10000")
	c.Flags().StringVar(&r.stateDir, "state-dir", "", "read this host's state_dir and ask nobody (default: the one of -c)")
	c.Flags().StringVar(&r.tokenFile, "token-file", "", "the web token of the other host (default: $STREAM_API_WEB_TOKEN)")
	c.Flags().BoolVar(&r.insecure, "insecure", false, "ask pages on other machines that have no TLS, too")
	return c
}

func (r *reader) check() error {
	if err := stream.CheckKey(r.key); err != nil {
		return usageError("%v", err)
	}
	if err := stream.CheckSlotOrInstance(r.slot); err != nil {
		return usageError("slot %v", err)
	}
	if r.tail < 0 || r.tail > maxTail {
		return usageError("-n %d: write a number from 0 to %d", r.tail, maxTail)
	}
	return nil
}

// loadHere finds out which host this machine is, and where its store is.
func (r *reader) loadHere(g *global) error {
	if len(r.files) == 0 {
		if cfg, err := config.Load(systemConfig); err == nil {
			r.here = cfg // one that does not load is no reason to look nowhere else
		}
		return nil
	}
	cfg, err := config.Load(r.files...)
	if err != nil {
		return configError(err)
	}
	r.here = cfg
	return g.takeStoreOf(cfg)
}

// read prints the log of whoever holds the slot.
func (r *reader) read(ctx context.Context, s *store.Store) error {
	if r.follow {
		return r.readAlong(ctx, s)
	}
	instance, err := r.find(ctx, s)
	if err != nil {
		return err
	}
	return r.readFrom(ctx, s, instance)
}

// find reads the slot. One that ended, and ran here last, has no record any
// more but a log.
func (r *reader) find(ctx context.Context, s *store.Store) (store.InstanceRecord, error) {
	instance, err := readInstance(ctx, s, r.key, r.slot)
	if errors.Is(err, store.ErrNotFound) && r.here != nil {
		if _, dirErr := findLog(r.here.StateDir, r.key, r.slot, ""); dirErr == nil {
			return store.InstanceRecord{}, nil
		}
	}
	return instance, err
}

const (
	// followPatience is how long a follower waits for a host that cannot be asked
	// or has no line yet: longer than a lease, after which a dead host's slots are
	// elsewhere; a child that is being started has said nothing, and a host that
	// was started just now does not listen yet.
	followPatience = 30 * time.Second
	// askAgainAfter is the pause between two such questions.
	askAgainAfter = 250 * time.Millisecond
	// reattachAfter is when a follower whose log ended takes it that the log's
	// reader ended and not the slot, as when its host starts anew.
	reattachAfter = 2 * time.Second
)

// passing tells whether asking a host again may help.
func passing(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, errUnreached)
}

// readAlong follows the log from holder to holder, until it is interrupted or
// the stream ends.
func (r *reader) readAlong(ctx context.Context, s *store.Store) error {
	instance, err := r.find(ctx, s)
	if err != nil {
		return err
	}
	reached, told := time.Now(), "-"
	for {
		err := r.readFrom(ctx, s, instance)
		if err == nil {
			reached = time.Now()
		}
		again := passing(err) && time.Since(reached) < followPatience
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !again && !errors.Is(err, errNowhere):
			return err
		case !again && told != instance.Token:
			told = instance.Token
			why := "the log on " + orElse(instance.Host, "this machine") + " ended"
			if err != nil {
				why = err.Error()
			}
			say("--- %s; waiting for where it runs next", why)
		}
		patience := reattachAfter
		if again {
			patience = askAgainAfter
		}
		next, awaitErr := r.awaitNext(ctx, s, instance.Token, patience)
		if awaitErr != nil || next.Token == "" {
			return awaitErr
		}
		switch {
		case next.Token != instance.Token:
			r.tail, reached = maxTail, time.Now() // all that the next holder's child said so far
		case err == nil:
			r.tail = 0
		}
		instance = next
	}
}

// awaitNext returns the slot once it runs under another token than this, or
// still under this after the patience; it is zero if its stream ends, or the
// waiting does.
func (r *reader) awaitNext(ctx context.Context, s *store.Store, token string, patience time.Duration) (store.InstanceRecord, error) {
	var next store.InstanceRecord
	begun := time.Now()
	err := await(ctx, s, func(ctx context.Context) (over bool, err error) {
		next, err = readInstance(ctx, s, r.key, r.slot)
		return next.State == stream.Running && (next.Token != token || time.Since(begun) > patience), err
	})
	if errors.Is(err, errInterrupted) || errors.Is(err, store.ErrNotFound) {
		return store.InstanceRecord{}, nil
	}
	return next, err
}

// readFrom prints the log from wherever it can be read.
func (r *reader) readFrom(ctx context.Context, s *store.Store, instance store.InstanceRecord) error {
	local, err := r.local(instance)
	if err != nil || local != "" {
		if err != nil {
			return err
		}
		return r.readLog(ctx, local)
	}
	if instance.Host == "" {
		return fmt.Errorf("%s of %s is %s (%s): %w, and its last host is not known", r.slot, r.key, instance.State, orElse(instance.Reason.String(), "no reason yet"), errNowhere)
	}
	host, err := readHost(ctx, s, instance.Host)
	if err != nil {
		return err
	}
	at, isHere := host.URL, r.here != nil && r.here.Network.Name == host.Host
	if isHere && r.here.Web.Listen != "" && r.here.Web.TLS == nil {
		at = "http://" + nearby(r.here.Web.Listen)
	}
	switch {
	case at == "" && isHere:
		return r.noLogIn(r.here.StateDir)
	case at == "":
		return fmt.Errorf("%s of %s runs on %s, which shows its logs to no other machine (web.listen); %s", r.slot, r.key, host.Host, r.there())
	}
	return r.readRemote(ctx, at, instance)
}

// nearby is where this machine reaches what listens on an address.
func nearby(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if addr, parseErr := netip.ParseAddr(host); err == nil && (host == "" || parseErr == nil && addr.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return listen
}

// there is what to type on the machine that has the log. It says where to
// look, as not every host has its file in the usual place.
func (r *reader) there() string {
	return fmt.Sprintf("there, run: stream-api logs %s %s -c FILE (each file that it runs with), or: stream-api logs %s %s --state-dir DIR (its state_dir)", r.key, r.slot, r.key, r.slot)
}

func (r *reader) noLogIn(stateDir string) error {
	return fmt.Errorf("%s of %s: %w in %s: it never ran a program there, or too long ago", r.slot, r.key, store.ErrNotFound, stateDir)
}

// wanted is the token of which the log is wanted: a follower wants each holder's
// own, and waits for it; else the latest is wanted, whoever's it is.
func (r *reader) wanted(instance store.InstanceRecord) string {
	if r.follow {
		return instance.Token
	}
	return ""
}

// local is the directory of the log on this machine; empty if another machine
// has the latest.
func (r *reader) local(instance store.InstanceRecord) (string, error) {
	if r.here == nil {
		return "", nil
	}
	dir, err := findLog(r.here.StateDir, r.key, r.slot, r.wanted(instance))
	switch {
	case errors.Is(err, statedir.ErrNoSlot), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission) && instance.Host != r.here.Network.Name:
		return "", nil
	case errors.Is(err, fs.ErrPermission) && r.here.Web.Listen == "":
		return "", fmt.Errorf("%w; run this as the user that runs the host", err)
	case errors.Is(err, fs.ErrPermission):
		return "", nil // its own page may be asked
	case err != nil:
		return "", err
	}
	if instance.Host != "" && instance.Host != r.here.Network.Name {
		return "", nil // here lies what an earlier holder said
	}
	return dir, nil
}

// findLog is statedir.LogDir, which takes a directory that it may not read, or
// that is not there, for an empty one.
func findLog(stateDir, key, instance, token string) (string, error) {
	if _, err := os.ReadDir(stateDir); err != nil {
		return "", err
	}
	return statedir.LogDir(stateDir, key, instance, token)
}

// readDir prints a log of a given state directory.
func (r *reader) readDir(ctx context.Context, stateDir string) error {
	dir, err := findLog(stateDir, r.key, r.slot, "")
	if errors.Is(err, statedir.ErrNoSlot) {
		return r.noLogIn(stateDir)
	}
	if err != nil {
		return err
	}
	return r.readLog(ctx, dir)
}

// readLog prints the log in dir. A follower's interruption is its end.
func (r *reader) readLog(ctx context.Context, dir string) error {
	err := supervisor.ReadLog(ctx, dir, r.tail, r.follow, func(l supervisor.LogLine) error {
		l.Text = stream.Shown(l.Text) // as a host's API does
		return r.print(l)
	})
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, fs.ErrNotExist) && r.follow:
		return fmt.Errorf("%s of %s has said nothing yet: %w", r.slot, r.key, store.ErrNotFound)
	case errors.Is(err, fs.ErrNotExist):
		return nil // it has said nothing yet
	}
	return err
}

func printLogLine(l supervisor.LogLine) error {
	at := "            "
	if !l.At.IsZero() {
		at = l.At.Local().Format("15:04:05.000")
	}
	_, err := fmt.Printf("%s %-4s %s\n", at, harmless(l.Mark), stream.Printable(l.Text))
	return err
}

func printLogJSON(l supervisor.LogLine) error { return printJSONLine(os.Stdout, l) }
