package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"stream-api/stream"
)

// jobItem is an item of a chain that is a job: what is to be done once a child of a slot
// has ended. A key of jobs is a field here, a line in item and a field of stream.Item.
type jobItem struct {
	Job string `yaml:"job" validate:"required,slot"`
	// Of is the slot, or the job, whose end makes one.
	Of string `yaml:"of" validate:"required,slot"`
	// Type is the service type that runs it; the job's name if not given.
	Type string `yaml:"type" validate:"omitempty,slot"`
	// Each has one made for each line that the child writes: item.
	Each string `yaml:"each" validate:"omitempty,jobeach"`
	// Host is which hosts may run it; if not given only the one where the child ended.
	Host selector `yaml:"host"`
	// Vars are ${slot:<name>}.
	Vars map[string]stream.Template `yaml:"vars" validate:"max=64,dive,keys,slotvar,endkeys,jobvalue,max=4096"`
}

func (j jobItem) item() stream.Item {
	return stream.Item{Of: j.Of, Type: j.Type, Each: j.Each, Host: j.Host.Selector, Vars: asWritten(j.Vars)}
}

// asWritten are templates as the file has them.
func asWritten(vars map[string]stream.Template) map[string]string {
	var out map[string]string
	for name, t := range vars {
		if out == nil {
			out = map[string]string{}
		}
		out[name] = t.String()
	}
	return out
}

// decodeJob reads an item that is a job; the name is empty if it has none.
func (d *decoder) decodeJob(n *node, path string, c *Chain) string {
	var job jobItem
	if e, both := n.find("slot"); both {
		d.problem(e.at, path, "it is a slot or a job, not both: take out slot, and say of which slot the job is with of")
		return ""
	}
	d.decode(n, path, &job, rules{})
	if job.Job == "" {
		return ""
	}
	if _, twice := c.paths[job.Job]; !twice {
		c.Items[job.Job], c.paths[job.Job] = job.item(), path
	}
	return job.Job
}

// resolveJobs takes the names of jobs of the source's chain out of the slots of a rule's.
func (c *Chain) resolveJobs(source stream.Items) {
	if c.Slots != nil {
		c.Slots, c.Items = c.Items.WithJobs(c.Slots, source)
	}
}

// checkJobs finds jobs that can be none of the chain.
func (d *decoder) checkJobs(c Chain) {
	for _, job := range c.Items.Jobs() {
		err := c.Items.CheckJob(c.Slots, job)
		if err == nil || stream.CheckType(c.Items[job].Of) != nil { // that was said
			continue
		}
		at, hint := c.paths[job], ""
		if own := join(at, "of"); d.index[own].key != "" {
			at = own
		}
		if !slices.Contains(c.Slots, c.Items[job].Of) && !c.Items.IsJob(c.Items[job].Of) {
			hint = suggest(c.Items[job].Of, append(c.Items.Jobs(), c.Slots...))
		}
		d.problem(d.valueAt(at), at, "%v%s", err, hint)
	}
}

// saidOfJob is a job for people.
func saidOfJob(name string, item stream.Item) string {
	words := []string{"of " + item.Of}
	if item.Type != "" && item.Type != name {
		words = append(words, "type "+item.Type)
	}
	if item.Each != "" {
		words = append(words, "for each "+item.Each)
	}
	switch {
	case item.Bound():
		words = append(words, "on the host of its files")
	case item.Host.Name == stream.AnyHost:
		words = append(words, "on any host")
	default:
		words = append(words, "on "+oneLine(item.Host.String()))
	}
	for _, v := range slices.Sorted(maps.Keys(item.Vars)) {
		words = append(words, v+"="+oneLine(maskValue(v, item.Vars[v])))
	}
	return fmt.Sprintf("%s (%s)", name, strings.Join(words, ", "))
}

// runs are what a type is to the chains known here.
type runs struct{ slots, jobs bool }

func runsOf(chains map[string]Chain, service string) (r runs) {
	for _, chain := range chains {
		for _, slot := range chain.Slots {
			r.slots = r.slots || chain.Items.Type(slot) == service
		}
		for _, job := range chain.Items.Jobs() {
			r.jobs = r.jobs || chain.Items.Type(job) == service
		}
	}
	return r
}

// warnJobs says of each service what of it has no meaning to the slots and jobs that it
// runs in the chains known here. Other hosts may have other chains, so it is no error.
func (d *decoder) warnJobs(c *Config, chains map[string]Chain) {
	for _, name := range c.Services.Types() {
		r, path := runsOf(chains, name), join("services", name)
		for _, use := range c.Services[name].templates(path) {
			for _, ref := range use.template.Refs() {
				switch {
				case ref.HasDefault:
				case ref.Scope == stream.ScopeOf && r.slots:
					d.warn(d.valueAt(use.path), use.path, "%s has a value only in jobs, and %s is the type of a slot here: that could not start; give the job a type of its own, or a default: ${of:%s:-}", ref, name, ref.Name)
				case ref.Scope == stream.ScopeOf && !r.jobs && len(chains) > 0:
					d.warn(d.valueAt(use.path), use.path, "%s has a value only in jobs, and no chain here has a job of type %s: write {job: %s, of: SLOT}", ref, name, name)
				case ref.OfSlot() && r.jobs && !r.slots:
					d.warn(d.valueAt(use.path), use.path, "%s has no value in a job, as the slots of its stream may be gone when it runs: ${of:%s} is what the ended one said", ref, ref.Name)
				}
			}
		}
		if at := join(path, "plugin.done"); r.slots && !r.jobs && d.index[at].key != "" {
			d.warn(d.at(at), at, "only jobs are done: of a slot an end with one of these codes is a failure, as any other is")
		}
		if s := c.Services[name]; s.Exec == nil && r.jobs {
			d.warn(d.at(path), path, "%s is a job here, and a static service runs nothing: write plugin: {name: exec, path: …}", name)
		}
	}
}

// kindOf is the key by which an item of a chain gives its name.
func kindOf(chain Chain, name string) string {
	if chain.Items.IsJob(name) {
		return "job"
	}
	return "slot"
}
