package stream

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Instance is one of the instances of a slot, of which each has its own record,
// host, token and child. One of them leads: what it publishes is what the slot
// says to the others of its stream. A name never changes, and no other instance
// has it while the stream lives.
type Instance struct {
	Slot   string
	Number int    // of <slot>.<n>, from 1; 0 if it has another form
	Host   string // of <slot>@<host>: the one of that host
	Job    string // of <slot>~<16 hexadecimal digits>: one job
}

// CompareInstances orders names by slot, then number.
func CompareInstances(a, b string) int {
	x, _ := ParseInstance(a) // of what is none, by name
	y, _ := ParseInstance(b)
	return cmp.Or(cmp.Compare(x.Slot, y.Slot), cmp.Compare(x.Number, y.Number), cmp.Compare(a, b))
}

// maxInstance bounds the number in a name, so that no name grows.
const maxInstance = 1_000_000_000

// jobDigits is how long the id of a job is.
const jobDigits = 16

// Numbered is the instance of a slot with a number.
func Numbered(slot string, n int) Instance { return Instance{Slot: slot, Number: n} }

// ParseInstance reads the name of an instance; it is the only parser of them
// (in scripts lua/include/names.lua is).
func ParseInstance(name string) (Instance, error) {
	at := strings.IndexAny(name, ".@~")
	if at < 0 {
		return Instance{}, notInstance(name)
	}
	i := Instance{Slot: name[:at]}
	if CheckType(i.Slot) != nil {
		return Instance{}, notInstance(name)
	}
	rest := name[at+1:]
	switch name[at] {
	case '.':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 1 || n > maxInstance || strconv.Itoa(n) != rest {
			return Instance{}, notInstance(name)
		}
		i.Number = n
	case '@':
		if CheckHost(rest) != nil {
			return Instance{}, notInstance(name)
		}
		i.Host = rest
	case '~':
		if len(rest) != jobDigits || strings.Trim(rest, "0123456789abcdef") != "" {
			return Instance{}, notInstance(name)
		}
		i.Job = rest
	}
	return i, nil
}

func notInstance(name string) error {
	return fmt.Errorf("%s is no instance of a slot: a slot's name and .<number>, @<host> or ~<16 hexadecimal digits>", Quote(name))
}

// IsJob tells whether a name is that of one job.
func IsJob(name string) bool {
	i, err := ParseInstance(name)
	return err == nil && i.Job != ""
}

// String is the name.
func (i Instance) String() string {
	switch {
	case i.Host != "":
		return i.Slot + "@" + i.Host
	case i.Job != "":
		return i.Slot + "~" + i.Job
	}
	return i.Slot + "." + strconv.Itoa(i.Number)
}

// CheckInstance says why s is no name of an instance, or nil.
func CheckInstance(s string) error {
	_, err := ParseInstance(s)
	return err
}

// CheckSlotOrInstance says why s names neither a slot nor one of its instances,
// or nil: what people may write where one of them is meant.
func CheckSlotOrInstance(s string) error {
	if CheckInstance(s) == nil || CheckType(s) == nil {
		return nil
	}
	return fmt.Errorf("%s is no slot: a small letter, then up to 31 small letters, digits or '_'; one of its instances has .<number> or @<host> after that", Quote(s))
}

// SlotOf is the slot of an instance; what is no instance's name is taken for a
// slot's.
func SlotOf(name string) string {
	if i, err := ParseInstance(name); err == nil {
		return i.Slot
	}
	return name
}

// ShownAs is what people see of an instance: the slot where it is alone, else
// its own name.
func ShownAs(instance string, alone bool) string {
	if alone {
		return SlotOf(instance)
	}
	return instance
}
