package stream

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Item is what a chain says of one of its slots besides the slot's name. A key of
// an item is a field here, a line in Check and one in config.chainItem.
type Item struct {
	// Type is the service type that runs the slot; empty: the slot's name.
	Type string `json:"type,omitempty" show:"name"`
	// Vars are ${slot:<name>}, as they are written: templates of what is known of the
	// stream, its source and its other slots.
	Vars map[string]string `json:"vars,omitempty"`
	// Host is which hosts may run the slot. In a record it is resolved.
	Host Selector `json:"host,omitzero"`
	// Copies is how many instances the slot has, 1 to MaxCopies, of which one leads; 0: one.
	Copies int `json:"copies,omitempty"`
	// Apart is what its copies never share: ApartHost, or a label of hosts, of which no
	// two are where it has one value; empty: they may share a host.
	Apart string `json:"apart,omitempty" show:"name"`
	// Spread is the label over whose values copies are spread if that can be.
	Spread string `json:"spread,omitempty" show:"name"`
	// Near is what the slot is placed near to if that can be, the nearest first: slots of
	// its chain, or NearSource.
	Near []string `json:"near,omitempty" show:"name"`
	// Each is what has one instance of the slot by itself, each host that offers the type and
	// is admitted: EachHost; empty: it has Copies. Of a job EachItem, or empty.
	Each string `json:"each,omitempty" show:"name"`
	// With is the slot whose sidecar this one is: it runs on that one's host, copy by
	// copy, without a seat of its own; empty: it goes its own way.
	With string `json:"with,omitempty" show:"name"`
	// Of makes it a job: the slot whose end, or the job whose being done, makes one.
	Of string `json:"of,omitempty" show:"name"`
}

// Limits of what a chain asks for.
const (
	MaxCopies    = 16
	MaxInstances = 256 // of a stream
)

// EachHost has every host that may run a slot run one instance of it.
const EachHost = "host"

// ApartHost has no host take two copies of a slot.
const ApartHost = "host"

// NearSource is where the labels of its source say that a stream comes from.
const NearSource = "source"

// ItemScopes are what the templates of an item may refer to; "*" stands for slots.
const ItemScopes = "stream source *"

// Items are the items of a chain by slot. In an announcement and a record they are
// only those that say more than their slot's name.
type Items map[string]Item

// Type is the service type that runs a slot of the chain.
func (m Items) Type(slot string) string {
	if t := m[slot].Type; t != "" {
		return t
	}
	return slot
}

// Copies is how many instances the slot of a chain has.
func (m Items) Copies(slot string) int { return max(m[slot].Copies, 1) }

// Sidecars are the slots of a chain that are sidecars of another, in its order.
func (m Items) Sidecars(chain []string, target string) []string {
	var out []string
	for _, slot := range chain {
		if m[slot].With == target {
			out = append(out, slot)
		}
	}
	return out
}

// canonical is the item's one form: what goes without saying is not said.
func (i Item) canonical(slot string) Item {
	if i.Type == slot {
		i.Type = ""
	}
	if len(i.Vars) == 0 {
		i.Vars = nil
	}
	if len(i.Near) == 0 {
		i.Near = nil
	}
	if i.Copies == 1 {
		i.Copies = 0
	}
	return i
}

func (i Item) plain() bool { return i.Equal(Item{}) }

// Equal tells whether two items say the same.
func (i Item) Equal(other Item) bool {
	return i.Type == other.Type && maps.Equal(i.Vars, other.Vars) && i.Copies == other.Copies && i.Apart == other.Apart && i.Each == other.Each && i.With == other.With && i.Spread == other.Spread && i.Of == other.Of && slices.Equal(i.Near, other.Near) && i.Host.Equal(other.Host)
}

// Canonical is the one form of the items of a chain: those that say more than their
// slot's name, without what goes without saying; nil: none does.
func (m Items) Canonical() Items {
	var out Items
	for slot, item := range m {
		if item = item.canonical(slot); !item.plain() {
			if out == nil {
				out = Items{}
			}
			out[slot] = item
		}
	}
	return out
}

// Over is the one form of the items of a rule's chain: those that are not what the
// source's chain says of the slot, and its jobs. One that takes back what that says is
// there, and empty.
func (m Items) Over(source Items) Items {
	var out Items
	for slot, item := range m {
		item = item.canonical(slot)
		if item.Of != "" || !item.Equal(source[slot].canonical(slot)) {
			if out == nil {
				out = Items{}
			}
			out[slot] = item
		}
	}
	return out
}

// Under are the items of a rule's chain, where a mere name means the item of that
// name in the source's chain, if there is one. Its jobs are its own: WithJobs has taken
// those of the source that it names.
func (m Items) Under(chain []string, source Items) Items {
	out := Items{}
	for _, slot := range chain {
		item, own := m[slot]
		if !own {
			item = source[slot]
		}
		out[slot] = item
	}
	for _, job := range m.Jobs() {
		out[job] = m[job]
	}
	return out.Canonical()
}

// In are the items of the slots of a chain, and all jobs: of a slot that is switched off
// there are ends, too.
func (m Items) In(chain []string) Items {
	out := maps.Clone(m)
	maps.DeleteFunc(out, func(slot string, item Item) bool { return item.Of == "" && !slices.Contains(chain, slot) })
	return out.Canonical()
}

// Needs are the variables of other slots that the slot waits for on account of its
// item, besides those that its service waits for.
func (i Item) Needs() []Need {
	var templates []Template
	for _, text := range i.Vars {
		if t, err := ParseTemplate(text); err == nil {
			templates = append(templates, t)
		}
	}
	return Needs(templates...)
}

// Check says why the items do not fit their chain, or nil.
func (m Items) Check(chain []string) error {
	var errs []error
	for _, slot := range slices.Sorted(maps.Keys(m)) {
		if m.IsJob(slot) {
			if err := errors.Join(CheckType(slot), m[slot].check(slot), m.CheckJob(chain, slot)); err != nil {
				errs = append(errs, fmt.Errorf("job %s: %w", Quote(slot), err))
			}
			continue
		}
		if !slices.Contains(chain, slot) {
			errs = append(errs, fmt.Errorf("items: %s is no slot of the chain", Quote(slot)))
			continue
		}
		if err := m[slot].check(slot); err != nil {
			errs = append(errs, fmt.Errorf("item %s: %w", slot, err))
		}
		if err := m.CheckWith(chain, slot); err != nil {
			errs = append(errs, fmt.Errorf("item %s: %w", slot, err))
		}
	}
	instances := 0
	for _, slot := range chain {
		instances += m.Copies(slot)
	}
	if instances > MaxInstances {
		errs = append(errs, fmt.Errorf("%d instances are too many: a stream has %d at most", instances, MaxInstances))
	}
	return errors.Join(errs...)
}

func (i Item) check(slot string) error {
	if i.Type != "" {
		if err := CheckType(i.Type); err != nil {
			return err
		}
	}
	if err := i.Host.Check(); err != nil {
		return fmt.Errorf("host: %w", err)
	}
	if i.Copies < 0 || i.Copies > MaxCopies {
		return fmt.Errorf("%d copies: write 1 to %d", i.Copies, MaxCopies)
	}
	if err := CheckApart(i.Apart); i.Apart != "" && err != nil {
		return err
	}
	if err := CheckSpread(i.Spread); i.Spread != "" && err != nil {
		return err
	}
	if err := checkNear(slot, i.Near); err != nil {
		return err
	}
	if i.Of != "" {
		if err := i.checkJob(); err != nil {
			return err
		}
	} else if i.Each != "" {
		if err := errors.Join(CheckEach(i.Each), i.alone()); err != nil {
			return err
		}
	}
	if i.Of == "" && i.Host.Name == AnyHost {
		return fmt.Errorf("host: %s is for jobs, which else run where the child ended; a slot runs on any host without it: take it out", AnyHost)
	}
	if len(i.Vars) > MaxVars {
		return fmt.Errorf("%d variables are too many: %d at most", len(i.Vars), MaxVars)
	}
	for _, name := range slices.Sorted(maps.Keys(i.Vars)) {
		if err := errors.Join(CheckItemVar(name), i.checkValue(slot, i.Vars[name])); err != nil {
			return fmt.Errorf("vars %s: %w", name, err)
		}
	}
	return nil
}

// CheckApart says why copies cannot be kept apart so, or nil.
func CheckApart(s string) error {
	if s == ApartHost || CheckLabel(s) == nil {
		return nil
	}
	return fmt.Errorf("%s is nothing that copies can be kept apart by: write %s, or a label of hosts, such as %s", Quote(s), ApartHost, LabelSite)
}

// CheckSpread says why copies cannot be spread so, or nil.
func CheckSpread(s string) error {
	if s == ApartHost {
		return fmt.Errorf("copies go to the emptiest hosts anyway; write a label of hosts, such as spread: %s, or apart: %s if no two may share a host", LabelSite, ApartHost)
	}
	if err := CheckLabel(s); err != nil {
		return fmt.Errorf("spread: %w", err)
	}
	return nil
}

func checkNear(slot string, near []string) error {
	if len(near) > MaxChain {
		return fmt.Errorf("near: %d targets are too many: %d at most", len(near), MaxChain)
	}
	for i, target := range near {
		switch err := CheckNear(target); {
		case err != nil:
			return err
		case target == slot:
			return fmt.Errorf("near: %s is this very slot", target)
		case slices.Contains(near[:i], target):
			return fmt.Errorf("near: %s is there twice", target)
		}
	}
	return nil
}

// CheckNear says why nothing can be near to s, or nil.
func CheckNear(s string) error {
	if s == NearSource || CheckType(s) == nil {
		return nil
	}
	return fmt.Errorf("near: %s is no slot: write names of slots of the chain, or %s", Quote(s), NearSource)
}

// CheckEach says why nothing can have an instance each so, or nil.
func CheckEach(s string) error {
	switch s {
	case EachHost:
		return nil
	case EachItem:
		return fmt.Errorf("each: %s is for jobs: {job: NAME, of: SLOT, each: %s}; one instance on every host is each: %s", EachItem, EachItem, EachHost)
	}
	return fmt.Errorf("%s is nothing that has one each: write %s", Quote(s), EachHost)
}

// alone says what makes no sense beside each.
func (i Item) alone() error {
	switch {
	case i.Copies > 1:
		return errors.New("each: host is one instance on every host, so there is nothing for copies to count: take one of them out")
	case i.Apart != "":
		return errors.New("each: host is one instance on every host, which are apart by themselves: take apart out")
	}
	return nil
}

// ownNames are what ${slot:…} means for every slot.
var ownNames = []string{"copy", "instance", "lead", "name", "token"}

// CheckItemVar says why an item may not have a variable of that name, or nil.
func CheckItemVar(name string) error {
	if slices.Contains(ownNames, name) {
		return fmt.Errorf("${slot:%s} means something else already; use another name", name)
	}
	return CheckVar(name)
}

func (i Item) checkValue(slot, text string) error {
	if len(text) > MaxValueBytes {
		return fmt.Errorf("its value has %d bytes: %d at most", len(text), MaxValueBytes)
	}
	if i.Of != "" {
		return CheckJobValue(text)
	}
	t, err := ParseTemplate(text)
	if err != nil {
		return err
	}
	for _, ref := range t.Refs() {
		switch {
		case ref.OfSlot() && ref.Scope == slot:
			return fmt.Errorf("%s is a variable of this very slot: it would wait for itself for ever", ref)
		case !ref.OfSlot() && ref.Scope != "stream" && ref.Scope != "source":
			return fmt.Errorf("%s has no value here: only ${stream:…}, ${source:…} and ${SLOT:…}", ref)
		}
	}
	return nil
}

// Encode is the form of items in stream:<key>; empty for none.
func (m Items) Encode() string {
	if len(m) == 0 {
		return ""
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // texts, numbers and maps of them always marshal
	}
	return string(text)
}

// DecodeItems reads what Encode wrote; what a hand made of it that does not read is no
// items, and want mends it.
func DecodeItems(text string) Items {
	var m Items
	if text == "" || json.Unmarshal([]byte(text), &m) != nil {
		return nil
	}
	return m
}
