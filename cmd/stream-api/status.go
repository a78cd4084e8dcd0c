package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stream-api/problem"
	"stream-api/store"
	"stream-api/stream"
)

func statusCommand(g *global) *cobra.Command {
	var watch, check bool
	c := &cobra.Command{
		Use: "status", Short: "What runs where, and why something does not", GroupID: "look", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := g.json()
			if err != nil {
				return err
			}
			if check {
				if watch || asJSON {
					return usageError("--check prints one line and ends: leave -w and -o json out")
				}
				return checkStatus(cmd.Context(), g)
			}
			s, done, err := g.open(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			if watch {
				return watchStatus(cmd.Context(), s, asJSON)
			}
			status, err := readStatus(cmd.Context(), s)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(os.Stdout, status)
			}
			return printStatus(os.Stdout, status, onTerminal(os.Stdout))
		},
	}
	g.outputFlag(c)
	c.Flags().BoolVarP(&watch, "watch", "w", false, "stay, and show what changes")
	c.Flags().BoolVar(&check, "check", false, "one line for Icinga and kin, and their exit codes: 0 ok, 1 warning, 2 critical, 3 unknown")
	return c
}

// watchStatus shows the status anew every second, and at once when the store
// hints at a change, at most five times a second.
func watchStatus(ctx context.Context, s *store.Store, asJSON bool) error {
	hints := s.Hints(ctx)
	colours := onTerminal(os.Stdout)
	for {
		status, err := readStatus(ctx, s)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			say("stream-api: %s; trying again", store.Explain(err))
		case asJSON:
			if err := printJSON(os.Stdout, status); err != nil {
				return err
			}
		default:
			var page strings.Builder
			if err := printStatus(&page, status, colours); err != nil {
				return err
			}
			if colours {
				// Home, write over line by line, clear what is left: no flicker.
				fmt.Print("\x1b[H" + strings.ReplaceAll(page.String(), "\n", "\x1b[K\n") + "\x1b[J")
			} else {
				fmt.Println(page.String())
			}
		}
		if !pauseFor(ctx, hints, 200*time.Millisecond, time.Second) {
			return nil
		}
	}
}

// pauseFor waits for a hint, but no less than least and no more than most;
// false when ctx is over.
func pauseFor(ctx context.Context, hints <-chan store.Hint, least, most time.Duration) bool {
	early := time.NewTimer(least)
	defer early.Stop()
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-early.C:
	}
	select {
	case <-ctx.Done():
		return false
	case <-late.C:
	case _, ok := <-hints:
		for ok && len(hints) > 0 {
			<-hints
		}
	}
	return true
}

func printStatus(w io.Writer, status stream.Status, colours bool) error {
	if h := status.Hold; h != nil {
		left := max(time.Duration(h.Until-status.At)*time.Millisecond, 0)
		if _, err := fmt.Fprintf(w, "ON HOLD for %v: %s. What runs goes on; nothing is given or taken.\n\n", left.Round(time.Second), harmless(h.Reason)); err != nil {
			return err
		}
	}
	for _, v := range status.Refused {
		if _, err := fmt.Fprintf(w, "Redis refuses %s of host %s: %s; %s.\n\n", harmless(v.What), harmless(v.Host), harmless(v.Answer), harmless(v.Do)); err != nil {
			return err
		}
	}
	for _, v := range status.Troubles {
		if _, err := fmt.Fprintf(w, "Host %s: %s; %s.\n\n", harmless(v.Host), harmless(v.What), harmless(v.Do)); err != nil {
			return err
		}
	}
	if less, latest := stream.LessSpoken(status.Hosts); len(less) > 0 {
		if _, err := fmt.Fprintf(w, "Layout %d is not in force: it is not spoken by %s.\n\n", latest, harmless(strings.Join(less, ", "))); err != nil {
			return err
		}
	}
	for _, line := range lacking(status.Hosts) {
		if _, err := fmt.Fprintf(w, "%s\n\n", line); err != nil {
			return err
		}
	}
	if err := printNeeds(w, status, colours); err != nil {
		return err
	}
	if err := slotTable(status).write(w, colours); err != nil {
		return err
	}
	if j := status.Jobs; j != nil {
		if _, err := fmt.Fprintf(w, "\nJobs: %d running, %d waiting, %d failed%s; stream-api jobs ls\n", j.Running, j.Waiting, j.Failed, oldestJob(j, status.At)); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if err := hostTable(status).write(w, colours); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return sourceTable(status).write(w, colours)
}

func slotTable(status stream.Status) *table {
	t := &table{head: []string{"STREAM", "SLOT", "STATE", "HOST", "SINCE", "RESTARTS", "REASON"}}
	defer t.insertSites(status)
	for _, s := range status.Streams {
		if len(s.Slots) == 0 {
			why := s.Reason
			if s.Held {
				why = "held by an operator; streams unhold " + s.Key
			}
			t.add(cell{s.Key, plain}, cell{"", plain}, cell{"idle", yellow}, cell{"", plain}, cell{"", plain}, cell{"", plain}, cell{why, plain})
		}
		for i, instance := range s.Slots {
			key := s.Key
			if i > 0 {
				key = " "
			}
			t.add(cell{key, plain}, cell{instance.Name, plain}, cell{instance.Shown(), slotColour(instance)}, cell{instance.Host, plain},
				cell{ago(status.At, instance.Since), plain}, cell{strconv.Itoa(instance.Restarts), plain}, cell{switchedReason(s, instance, status.At), plain})
		}
		for _, slot := range s.SwitchedOff {
			if !slices.ContainsFunc(s.Slots, func(v stream.InstanceStatus) bool { return v.Slot == slot }) {
				t.add(cell{" ", plain}, cell{slot, plain}, cell{"off", grey}, cell{"", plain}, cell{"", plain}, cell{"", plain},
					cell{"switched off by an operator; streams slots " + s.Key + " --reset", plain})
			}
		}
	}
	return t
}

// switchedReason is reasonText with what an operator said of the slot.
func switchedReason(s stream.StreamStatus, instance stream.InstanceStatus, now int64) string {
	text := reasonText(instance)
	if text == "" && now-instance.Placed < hereFor.Milliseconds() {
		text = hereText(instance, now)
	}
	if several(instance) && instance.Lead {
		text = strings.TrimSuffix("leads; "+text, "; ")
	}
	if far := s.Far(instance); len(far) > 0 {
		text = strings.TrimSpace(text + " (far from " + strings.Join(far, ", ") + ")")
	}
	if together := togetherText(instance); together != "" {
		text = strings.TrimSpace(text + " (" + together + ")")
	}
	if slices.Contains(s.SwitchedOn, instance.Slot) {
		text = strings.TrimSpace(text + " (switched on by an operator)")
	}
	return text
}

// hereFor is how long a status says why a slot is where it is.
const hereFor = time.Hour

// hereText says why an instance is where it is; empty: it was nowhere before.
func hereText(instance stream.InstanceStatus, now int64) string {
	if instance.Here == nil {
		return ""
	}
	return "placed " + ago(now, instance.Placed) + " ago: " + instance.Here.Reason
}

// several tells that the instance's slot has others.
func several(instance stream.InstanceStatus) bool { return instance.Name == instance.Instance }

func reasonText(instance stream.InstanceStatus) string {
	text := instance.Reason
	if instance.Speed != "" && text == "" {
		text = "speed " + instance.Speed
	}
	if instance.Stale {
		text = strings.TrimSpace(text + " (stale: its environment would differ now)")
	}
	return text
}

func slotColour(s stream.InstanceStatus) colour {
	switch {
	case s.State == stream.Stopping:
		return grey
	case s.State != stream.Running || s.Phase == stream.Starting || s.Phase == stream.Unready:
		return yellow
	case s.Phase == stream.Failing:
		return red
	}
	return green
}

func hostTable(status stream.Status) *table {
	t := &table{head: []string{"HOST", "STATE", "LEASE", "SERVICE", "USED", "FILTER", "NOTE"}}
	shares := slices.ContainsFunc(status.Hosts, func(h stream.HostStatus) bool { return len(h.Pools) > 0 })
	if shares {
		t.head = append(t.head, "POOLS")
	}
	defer t.insertLabels(status)
	for _, h := range status.Hosts {
		lease := "-"
		if h.LeaseMS != 0 {
			lease = (time.Duration(h.LeaseMS) * time.Millisecond).Round(100 * time.Millisecond).String()
		}
		shown := cell{string(h.State), hostColour(h.State)}
		if h.Left {
			shown = cell{"left", grey}
		}
		if len(h.Services) == 0 {
			t.add(cell{h.Host, plain}, shown, cell{lease, plain}, cell{"", plain}, cell{"", plain}, cell{"", plain}, cell{"", plain})
			if shares {
				t.rows[len(t.rows)-1] = append(t.rows[len(t.rows)-1], poolCell(h))
			}
		}
		for i, v := range h.Services {
			name, state := cell{h.Host, plain}, shown
			if i > 0 {
				name, state, lease = cell{" ", plain}, cell{" ", plain}, " "
			}
			note := v.Reason
			if i == 0 && h.State == stream.Down && h.Since > 0 {
				note = strings.TrimSuffix("since "+clock(h.Since)+"; "+note, "; ")
			} else if note == "" && v.State != h.State {
				note = string(v.State)
			}
			t.add(name, state, cell{lease, plain}, cell{v.Type, plain}, cell{usedText(v), usedColour(v)}, cell{v.Filter, plain}, cell{note, red})
			if shares {
				pools := cell{" ", plain}
				if i == 0 {
					pools = poolCell(h)
				}
				t.rows[len(t.rows)-1] = append(t.rows[len(t.rows)-1], pools)
			}
		}
	}
	return t
}

// poolCell is what is taken of each pool of a host.
func poolCell(h stream.HostStatus) cell {
	var parts []string
	c := plain
	for _, p := range h.Pools {
		parts = append(parts, fmt.Sprintf("%s %s/%s", p.Pool, p.Used, p.Size))
		switch {
		case p.Used > p.Size:
			c = red
		case p.Used == p.Size && c != red:
			c = yellow
		}
	}
	return cell{strings.Join(parts, ", "), c}
}

// usedText is how many seats are taken. That a host polls sources is registered
// like a service, but has no seats.
func usedText(v stream.ServiceStatus) string {
	if v.Type == stream.SourceType {
		return "polls"
	}
	if v.Capacity == nil {
		return fmt.Sprintf("%d/∞", v.Used)
	}
	return fmt.Sprintf("%d/%d", v.Used, *v.Capacity)
}

func usedColour(v stream.ServiceStatus) colour {
	switch {
	case v.Capacity != nil && v.Used > *v.Capacity:
		return red
	case v.Capacity != nil && v.Used == *v.Capacity:
		return yellow
	}
	return plain
}

func hostColour(s stream.HostState) colour {
	switch s {
	case stream.Up:
		return green
	case stream.Down:
		return red
	}
	return yellow
}

func sourceTable(status stream.Status) *table {
	t := &table{head: []string{"SOURCE", "STATE", "LAST GOOD", "STREAMS", "NOTE"}}
	missing := map[string][]string{}
	for _, m := range problem.MissingOf(status) {
		missing[m.Source] = append(missing[m.Source], m.Key)
	}
	for _, s := range status.Sources {
		c := green
		if s.State != stream.SourceGood {
			c = red
		}
		note := strings.Join(sourceNotes(status.At, s, missing[s.Name]), "; ")
		t.add(cell{s.Name, plain}, cell{string(s.State), c}, cell{ago(status.At, s.LastGood), plain}, cell{strconv.Itoa(s.Streams), plain}, cell{note, plain})
	}
	return t
}

func sourceNotes(now int64, s stream.SourceStatus, missing []string) []string {
	notes := differNotes(now, s)
	for _, text := range []string{s.Error, s.Warning} {
		if text != "" {
			notes = append(notes, text)
		}
	}
	if len(missing) > 0 {
		notes = append(notes, "missing: "+strings.Join(missing, ", "))
	}
	if len(s.Stalled) > 0 {
		notes = append(notes, "stalled: "+strings.Join(s.Stalled, ", "))
	}
	if s.Over > 0 {
		notes = append(notes, fmt.Sprintf("announces the %d it may (max_streams): %d new ones refused, such as %s", s.Max, s.Over, s.OverExample))
	}
	if s.Refused > 0 {
		notes = append(notes, fmt.Sprintf("%d refused, such as %s", s.Refused, s.Example))
	}
	return notes
}
