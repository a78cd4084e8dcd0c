package stream

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// A job is what is to be done once a child of a slot has ended, or once another job is
// done. It is an item with Of. Its name is a key of Items and never in the chain, so
// that nothing that walks a chain places one: each end makes an instance of it.

// EachItem has one job made for each line that a child writes to STREAM_API_ITEMS, and
// none for its end.
const EachItem = "item"

// AnyHost, as the host of a job, lets it run on every host that offers its type. A job
// without a host runs where the child ended, as its files are there.
const AnyHost = "any"

// ScopeOf is the scope of ${of:…}: what is known of the child that ended.
const ScopeOf = "of"

// IsJob tells whether the item of that name is a job.
func (m Items) IsJob(name string) bool { return m[name].Of != "" }

// Jobs are the names of the jobs, sorted.
func (m Items) Jobs() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m)), func(name string) bool { return !m.IsJob(name) })
}

// JobsOf are the jobs that an end of the slot or job makes, sorted.
func (m Items) JobsOf(name string) []string {
	return slices.DeleteFunc(m.Jobs(), func(job string) bool { return m[job].Of != name })
}

// Bound tells whether the job runs only where the child ended.
func (i Item) Bound() bool { return i.Of != "" && i.Host.IsZero() }

// WithJobs resolves the names of a rule's chain that are jobs of its source's chain:
// they leave the list of slots and become items of the rule.
func (m Items) WithJobs(chain []string, source Items) ([]string, Items) {
	if len(source.Jobs()) == 0 {
		return chain, m
	}
	slots, items := make([]string, 0, len(chain)), maps.Clone(m)
	if items == nil {
		items = Items{}
	}
	for _, name := range chain {
		if _, own := m[name]; own || !source.IsJob(name) {
			slots = append(slots, name)
			continue
		}
		items[name] = source[name]
	}
	return slots, items
}

// CheckJob says why the job cannot be one of the chain, or nil.
func (m Items) CheckJob(chain []string, name string) error {
	of := m[name].Of
	switch {
	case slices.Contains(chain, name):
		return fmt.Errorf("%s is a slot of this chain, too: give the job a name of its own, and say type: %s if that is its service", name, m.Type(name))
	case of == name:
		return errors.New("a job cannot be of itself: say of which slot's end it is made")
	case slices.Contains(chain, of):
		return nil
	case !m.IsJob(of):
		return fmt.Errorf("it is of %s, which is neither a slot nor a job of this chain: put that there, or name another", Quote(of))
	case m[name].Each != "":
		return fmt.Errorf("%s is a job, and only slots write items: take each out, and one is made whenever a %s is done", of, of)
	}
	for at, n := of, 0; m.IsJob(at); at, n = m[at].Of, n+1 {
		if at == name || n > len(m) {
			return fmt.Errorf("it is of %s, and that in the end of it: one of them has to be of a slot", of)
		}
	}
	return nil
}

// besideOf is a key that a job must not have; empty: it has none.
func (i Item) besideOf() string {
	switch {
	case i.Copies != 0:
		return "copies"
	case i.Apart != "":
		return "apart"
	case i.Spread != "":
		return "spread"
	case len(i.Near) > 0:
		return "near"
	case i.With != "":
		return "with"
	}
	return ""
}

// checkJob is check of what only jobs say.
func (i Item) checkJob() error {
	if err := CheckType(i.Of); err != nil {
		return fmt.Errorf("of: %w", err)
	}
	if word := i.besideOf(); word != "" {
		return fmt.Errorf("%s says nothing of a job, which is made once for each end: take it out", word)
	}
	if i.Each != "" && i.Each != EachItem {
		return CheckJobEach(i.Each)
	}
	return nil
}

// CheckJobEach says why jobs cannot be made for each s, or nil.
func CheckJobEach(s string) error {
	if s == EachItem {
		return nil
	}
	return fmt.Errorf("jobs are made for each end, or with each: %s for each line that the slot writes to STREAM_API_ITEMS; %s is neither", EachItem, Quote(s))
}

// CheckJobValue says why a job's variable cannot be so, or nil.
func CheckJobValue(text string) error {
	t, err := ParseTemplate(text)
	if err != nil {
		return err
	}
	for _, ref := range t.Refs() {
		if ref.OfSlot() {
			return fmt.Errorf("%s has no value when the job runs, as the slots of its stream may be gone: ${of:%s} is what the ended one said", ref, ref.Name)
		}
		if ref.Scope != "stream" && ref.Scope != "source" && ref.Scope != ScopeOf {
			return fmt.Errorf("%s has no value here: only ${stream:…}, ${source:…} and ${of:…}", ref)
		}
	}
	return nil
}

// JobInstance is the instance of a job that comes after an end: of is the token that
// ended, or the instance of the job that is done; item the line it is for, empty for an
// end. lua/include/jobs.lua makes the same name.
func JobInstance(job, of, item string) Instance {
	sum := sha1.Sum([]byte(job + "|" + of + "|" + item))
	return Instance{Slot: job, Job: hex.EncodeToString(sum[:])[:jobDigits]}
}
