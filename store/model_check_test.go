package store_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// dump reads the whole store in one step.
var dump = redis.NewScript(`
local out = {}
for _, k in ipairs(redis.call('KEYS', '*')) do
  local t = redis.call('TYPE', k).ok
  if t == 'hash' then out[#out + 1] = { k, redis.call('HGETALL', k) }
  elseif t == 'set' then out[#out + 1] = { k, redis.call('SMEMBERS', k) }
  elseif t == 'zset' then out[#out + 1] = { k, redis.call('ZRANGE', k, 0, -1, 'WITHSCORES') }
  end
end
return out`)

// picture is the store at one moment. Sets have empty values.
type picture map[string]map[string]string

func (w *world) picture() (picture, error) {
	raw, err := dump.Eval(w.ctx, w.client, nil).Slice()
	if err != nil {
		return nil, err
	}
	p := make(picture, len(raw))
	for _, item := range raw {
		row := item.([]any)
		key, list := row[0].(string), row[1].([]any)
		fields := make(map[string]string, len(list))
		if key == "hosts" || key == "types" || key == "sources" || key == "types:wanted" {
			for _, v := range list {
				fields[v.(string)] = ""
			}
		} else {
			for i := 0; i+1 < len(list); i += 2 {
				fields[list[i].(string)] = list[i+1].(string)
			}
		}
		p[key] = fields
	}
	return p, nil
}

// after checks the records after a step.
func (w *world) after(what string) {
	if w.err != nil {
		return
	}
	p, err := w.picture()
	if err != nil {
		w.fail(err)
		return
	}
	w.checkRecords(p, what)
}

func (w *world) broken(format string, args ...any) { w.fail(fmt.Errorf(format, args...)) }

// checkChildren checks I5 over trees that live, whatever the store says: one
// for each instance, and of a slot only such as the store once named at the same
// time: copies, or an instance and its successor.
func (w *world) checkChildren() {
	seen := map[string][]*supervisor{}
	for _, m := range w.machines {
		if m.paused {
			continue // nothing runs there; deadlines are looked at first when it wakes
		}
		for _, s := range m.sups {
			if s.alive && !w.excused(m, s) {
				at := s.Key + "/" + stream.SlotOf(s.Instance)
				if isJob(s.Instance) {
					at = s.Key + "/" + s.Instance
				}
				seen[at] = append(seen[at], s)
			}
		}
	}
	for at, list := range seen {
		if w.declared(list) {
			continue
		}
		var names []string
		for _, s := range list {
			names = append(names, fmt.Sprintf("%s on %s (token %s, deadline %.3f, trusted %.3f)",
				s.Instance, s.Host, s.Token, float64(s.deadline)/1e6, float64(s.trusted)/1e6))
		}
		slices.Sort(names)
		w.broken("I5: %s has live children %s", at, strings.Join(names, " and "))
		return
	}
}

// declared tells whether the store named each two of the trees at the same time, as
// instances of their slot.
func (w *world) declared(list []*supervisor) bool {
	for i, a := range list {
		for _, b := range list[:i] {
			if a.Instance == b.Instance || !w.handovers[[2]string{a.Token, b.Token}] && !w.handovers[[2]string{b.Token, a.Token}] {
				return false
			}
		}
	}
	return len(list) <= maxCopies+1
}

// items are what the record of a stream says of its slots.
func (p picture) items(key string) stream.Items {
	return stream.DecodeItems(p["stream:"+key]["items"])
}

// together counts the pairs of copies of a slot that are apart and share a host, or a
// site if they are apart by that and none is to follow the other, without an operator's word.
func (p picture) together(key, slot string) int {
	n, list := 0, p.instances(key, slot)
	for i, name := range list {
		for _, other := range list[:i] {
			if p.share(key, name, other) {
				n++
			}
		}
	}
	return n
}

// share tells that of two copies.
func (p picture) share(key, name, other string) bool {
	a, b := p["stream:"+key+":"+name], p["stream:"+key+":"+other]
	if bidden(a) || bidden(b) || a["host"] == "" || b["host"] == "" || a["apart"] == "" || b["apart"] == "" {
		return false
	}
	site := a["apart"] == stream.LabelSite && b["apart"] == stream.LabelSite && a["follows"] != other && b["follows"] != name
	return a["host"] == b["host"] || site && p.site(a["host"]) != "" && p.site(a["host"]) == p.site(b["host"])
}

// bidden tells whether an operator lets an instance be where it is beside others.
func bidden(row map[string]string) bool {
	host, _, _ := strings.Cut(row["anyway"], " ")
	return host != "" && host == row["host"]
}

// checkApart checks I8: placing brings no two copies together that are apart.
func (w *world) checkApart(p picture, key, slot, what string) {
	at, n := key+"/"+slot, p.together(key, slot)
	if n > w.pairs[at] && strings.Contains(what, ": place") {
		w.broken("I8: place brought copies of %s together", at)
	}
	w.pairs[at] = n
	if n > 0 {
		w.seen["copies that are apart share a host"]++
	}
}

// excused is the stated gap: a keep host fed its children beyond what it was
// told, while the store was in reach of others for all the time of its lease.
// It lasts until the host has asked and was answered; by data set back to before
// the gap, until the hold that opens has let the others speak.
func (w *world) excused(m *machine, s *supervisor) bool {
	if m.keep && w.now > s.trusted && w.uptime-m.lastHeard >= m.ttl-m.margin() {
		s.gap = true
	}
	return s.gap || w.now < s.setBack
}

// indexed is a word on an index, which counts only when none was torn lately.
func (w *world) indexed(format string, args ...any) {
	if !w.torn {
		w.broken(format, args...)
	}
}

// checkRecords checks I1 to I4 and I6 over the records. Of indexes that a hand
// tore only I2 counts: that no host is given more than it takes.
func (w *world) checkRecords(p picture, what string) {
	type held struct{ member, state string }
	byHost := map[string][]held{}
	for key, row := range p {
		at, ok := strings.CutPrefix(key, "stream:")
		if !ok {
			continue
		}
		name, slot, ok := strings.Cut(at, ":")
		if !ok {
			continue
		}
		if stream.CheckInstance(slot) != nil {
			w.checkSlot(p, name, slot)
			w.checkApart(p, name, slot, what)
			continue
		}
		line := name + "|" + slot
		for _, other := range p.instances(name, stream.SlotOf(slot)) {
			if token := p["stream:"+name+":"+other]["token"]; other != slot && token != "" && row["token"] != "" {
				w.handovers[[2]string{row["token"], token}] = true
			}
		}
		_, queued := p["pending:"+row["type"]][line]
		_, out := p["outbox"][line]
		switch state := row["state"]; state {
		case "pending":
			if !queued || out || row["host"] != "" {
				w.indexed("I6: %s is pending; queued %v, in the outbox %v, host %q", line, queued, out, row["host"])
			}
		case "assigned", "running", "stopping":
			if queued || out != (state == "assigned") {
				w.indexed("I6: %s is %s; queued %v, in the outbox %v", line, state, queued, out)
			}
			mark := ""
			if row["with"] != "" {
				mark = "+" // without capacity
			}
			byHost[row["host"]] = append(byHost[row["host"]], held{mark + row["type"] + "|" + line, state})
		default:
			w.broken("%s has the state %q", line, state)
		}
		if at := row["booked"]; at != "" && at != row["host"] {
			byHost[at] = append(byHost[at], held{"+" + row["type"] + "|" + line, "booked"})
		}
		if _, ok := p["stream:"+name]["instance:"+slot]; !ok {
			w.indexed("%s is not known to its stream", line)
		}
	}
	for host := range p["hosts"] {
		if _, ok := byHost[host]; !ok {
			byHost[host] = nil
		}
	}
	for host, list := range byHost {
		index := p["slots:"+host]
		if len(index) != len(list) {
			w.indexed("I3: slots:%s has %d, the records say %d", host, len(index), len(list))
		}
		used, taken := map[string]int{}, map[string]int{} // seats; and what takes of pools
		for _, v := range list {
			if _, ok := index[v.member]; !ok {
				w.indexed("I3: %s is %s on %s but not in slots:%s", v.member, v.state, host, host)
			}
			t, _, _ := strings.Cut(v.member, "|")
			if t, along := strings.CutPrefix(t, "+"); along {
				taken[t]++
				continue
			}
			used[t]++
			taken[t]++
		}
		if _, ok := p["hosts:lease"][host]; len(list) > 0 && !ok {
			w.indexed("%s holds slots and has no lease to lapse", host)
		}
		for _, t := range slotTypes {
			w.checkService(p, t, host, used[t], what)
		}
		w.checkPools(p, host, taken, what)
	}
	for _, t := range slotTypes {
		for line := range p["pending:"+t] {
			name, slot, _ := strings.Cut(line, "|")
			if p["stream:"+name+":"+slot]["state"] != "pending" {
				w.indexed("I6: %s is queued and %q", line, p["stream:"+name+":"+slot]["state"])
			}
		}
	}
	for line := range p["outbox"] {
		name, slot, _ := strings.Cut(line, "|")
		if p["stream:"+name+":"+slot]["state"] != "assigned" {
			w.indexed("I6: %s is in the outbox and %q", line, p["stream:"+name+":"+slot]["state"])
		}
	}
	if !w.torn {
		w.checkWanted(p)
	}
}

// instances are the names of those of a slot that have a record.
func (p picture) instances(key, slot string) []string {
	var out []string
	for at := range p {
		name, ok := strings.CutPrefix(at, "stream:"+key+":")
		if ok && stream.CheckInstance(name) == nil && stream.SlotOf(name) == slot {
			out = append(out, name)
		}
	}
	slices.SortFunc(out, stream.CompareInstances)
	return out
}

func (p picture) vars(at string) map[string]string {
	out := map[string]string{}
	for field, value := range p[at] {
		if name, ok := strings.CutPrefix(field, "var:"); ok {
			out[name] = value
		}
	}
	return out
}

// checkSlot checks what a slot says against its instances: who they are, and that
// the one that leads runs if any is ready, and is heard.
func (w *world) checkSlot(p picture, key, slot string) {
	at := "stream:" + key + ":" + slot
	row, list := p[at], p.instances(key, slot)
	named := strings.Fields(row["instances"])
	slices.SortFunc(named, stream.CompareInstances)
	lead := "stream:" + key + ":" + row["lead"]
	switch {
	case !slices.Equal(named, list):
		w.indexed("%s says that its instances are %v, they are %v", at, named, list)
	case !slices.Contains(list, row["lead"]):
		w.indexed("%s is led by %q and has %v", at, row["lead"], list)
	case row["state"] != p[lead]["state"] || row["host"] != p[lead]["host"]:
		w.indexed("%s is %s on %q, its lead %s on %q", at, row["state"], row["host"], p[lead]["state"], p[lead]["host"])
	case p[lead]["state"] != "stopping" && len(p.vars(lead)) > 0 && !maps.Equal(p.vars(at), p.vars(lead)):
		w.indexed("%s says %v, its lead %s %v", at, p.vars(at), row["lead"], p.vars(lead))
	}
	if p[lead]["state"] == "running" {
		return
	}
	for _, name := range list {
		own := "stream:" + key + ":" + name
		v := p[own]
		if v["state"] == "running" && v["phase"] == "" && v["up"] != "" && (p.vars(own)["by"] != "" || p.vars(at)["by"] == "") {
			w.indexed("%s is led by %s, which is %q, and %s is ready", at, row["lead"], p[lead]["state"], name)
		}
	}
}

// checkService checks I1, I2 and I4 of one service.
func (w *world) checkService(p picture, t, host string, used int, what string) {
	row := p["service:"+t+":"+host]
	if row == nil {
		return
	}
	at := t + ":" + host
	if row["used"] != strconv.Itoa(used) {
		w.indexed("I1: service:%s says used %s, its slots are %d", at, row["used"], used)
	}
	capacity, limited := math.MaxInt, row["capacity"] != ""
	if limited {
		capacity, _ = strconv.Atoi(row["capacity"])
	}
	if used > capacity && used > w.over[at] && strings.Contains(what, ": place") {
		w.broken("I2: place raised service:%s to %d of %d", at, used, capacity)
	}
	w.over[at] = used
	derived := stream.Class{Filter: row["filter"], Prefer: row["prefer"], Needs: row["needs"], Labels: p["host:"+host]["labels"]}.ID()
	if row["state"] == "up" && row["class"] != derived {
		w.indexed("the class of service:%s is %s, want %s as its host is now", at, row["class"], derived)
	}
	score, indexed := p["load:"+t+":"+row["class"]][host]
	want := ""
	strain, fits := p.strain(t, host, p.used(host))
	pooled := row["uses"] != "" && row["uses"] != "{}"
	switch {
	case row["state"] != "up" || pooled && !fits || capacity == 0:
	case pooled && !limited:
		want = strconv.Itoa(strain)
	case !limited:
		want = strconv.Itoa(used)
	default:
		want = strconv.Itoa(max((used+1)*1_000_000/capacity, strain))
	}
	if indexed != (want != "") || score != want {
		w.indexed("I4: service:%s has the load score %q, want %q", at, score, want)
	}
}

// checkWanted checks that what is announced is on its way (I6), and that
// nothing else is.
func (w *world) checkWanted(p picture) {
	for _, key := range w.keys() {
		_, marked := p["dirty"][key]
		if _, requeued := p["requeue"][key]; marked || requeued { // requeued: want was in a hold
			continue
		}
		text := p["announced:manual"][key]
		if text == "" {
			text = p["announced:src"][key]
		}
		row := p["stream:"+key]
		switch {
		case text != "" && row["chain"] == "":
			w.broken("I6: %s is announced and unknown", key)
		case text != "" && row["sys:held"] == "":
			for _, slot := range w.plan[key].Chain {
				if got, want := p.instances(key, slot), p.items(key).Copies(slot); len(got) < want {
					w.broken("I6: %s/%s is wanted with %d copies and has %v", key, slot, want, got)
				}
			}
		default: // not announced, or held: what is left only ends
			for field := range row {
				slot, ok := strings.CutPrefix(field, "instance:")
				if ok && !isJob(slot) && p["stream:"+key+":"+slot]["state"] != "stopping" {
					w.broken("I6: %s/%s is not wanted and %s", key, slot, p["stream:"+key+":"+slot]["state"])
				}
			}
		}
	}
}

// checkRest checks L1: at rest every wanted slot runs, or nothing eligible
// has room; and nothing else lives.
func (w *world) checkRest() error {
	p, err := w.picture()
	if err != nil {
		return err
	}
	children := map[string]string{}
	for _, m := range w.machines {
		for _, s := range m.sups {
			if s.alive {
				children[s.Key+"|"+s.Instance+" "+m.name+" "+s.Token] = m.id
			}
		}
	}
	for _, key := range w.keys() {
		held := p["override:"+key]["held"] != ""
		wanted := !held && (w.live[key] || p["announced:manual"][key] != "")
		for _, slot := range w.plan[key].Chain {
			list := p.instances(key, slot)
			if !wanted {
				if hash := p["stream:"+key+":"+slot]; len(list) > 0 || hash != nil {
					return fmt.Errorf("L1: %s/%s is not wanted and still has %v, %v", key, slot, list, hash)
				}
				continue
			}
			if want := p.items(key).Copies(slot); len(list) != want {
				return fmt.Errorf("L1: %s/%s of %d copies has the instances %v", key, slot, want, list)
			}
			numbers := map[string]bool{}
			for _, name := range list {
				if err := w.checkResting(p, key, name, children); err != nil {
					return err
				}
				numbers[p["stream:"+key+":"+name]["copy"]] = true
			}
			if err := w.checkParted(p, key, list); err != nil {
				return err
			}
			for i := range list {
				if !numbers[strconv.Itoa(i+1)] {
					return fmt.Errorf("L1: %s/%s has no copy %d of %v", key, slot, i+1, list)
				}
			}
		}
		text := p["announced:manual"][key]
		if text == "" {
			text = p["announced:src"][key]
		}
		if a, err := stream.DecodeAnnouncement(text); wanted && (err != nil || a.Items.Encode() != p["stream:"+key]["items"]) {
			return fmt.Errorf("L1: %s is announced with the items %s and has %s, %v", key, a.Items.Encode(), p["stream:"+key]["items"], err)
		}
	}
	if w.jobs {
		if err := w.checkJobs(p, children); err != nil {
			return err
		}
	}
	if len(p["moves"]) > 0 {
		return fmt.Errorf("L1: moves are under way: %v", p["moves"])
	}
	if len(children) > 0 {
		return fmt.Errorf("L1: children that nobody wants: %v", children)
	}
	return nil
}

// checkParted checks that what assert brought together is apart again if there is room.
func (w *world) checkParted(p picture, key string, list []string) error {
	slot := stream.SlotOf(list[0])
	if p.together(key, slot) == 0 {
		return nil
	}
	for _, name := range list {
		row := p["stream:"+key+":"+name]
		if p["stream:"+key+":"+slot]["lead"] == name || !slices.ContainsFunc(list, func(other string) bool { return other != name && p.share(key, name, other) }) {
			continue
		}
		if host := w.room(p, key, name, row["avoid"]); host != "" {
			return fmt.Errorf("I8: %s/%s shares what it may not though %s has room", key, name, host)
		}
	}
	return nil
}

// checkResting checks that an instance runs, or waits for room.
func (w *world) checkResting(p picture, key, name string, children map[string]string) error {
	row := p["stream:"+key+":"+name]
	switch row["state"] {
	case "running":
		if row["with"] != "" && row["host"] != p.anchor(key, row["with"], row["copy"]) {
			return fmt.Errorf("I9: %s/%s runs on %s, its target on %q", key, name, row["host"], p.anchor(key, row["with"], row["copy"]))
		}
		child := key + "|" + name + " " + row["host"] + " " + row["token"]
		if children[child] == "" {
			return fmt.Errorf("L1: %s/%s is running on %s under %s and no child lives there", key, name, row["host"], row["token"])
		}
		delete(children, child)
	case "pending":
		if row["with"] != "" {
			return w.checkWaiting(p, key, name)
		}
		if host := w.room(p, key, name, row["avoid"]); host != "" {
			return fmt.Errorf("L1: %s/%s is pending though %s has room", key, name, host)
		}
	default:
		return fmt.Errorf("L1: %s/%s is %q", key, name, row["state"])
	}
	return nil
}

// room names a host that could take the instance, reckoned without the load sets.
func (w *world) room(p picture, key, name, avoid string) string {
	slot := stream.SlotOf(name)
	kind := p.items(key).Type(slot)
	if p["stream:"+key+":"+name]["apart"] != "" {
		for _, other := range p.instances(key, slot) {
			if host := p["stream:"+key+":"+other]["host"]; host != "" {
				avoid += " " + host + "="
				if p["stream:"+key+":"+name]["apart"] == stream.LabelSite {
					avoid += " site " + p.site(host) + "="
				}
			}
		}
	}
	for _, host := range hostNames {
		row := p["service:"+kind+":"+host]
		if site := p.site(host); site != "" && strings.Contains(avoid, " site "+site+"=") {
			continue
		}
		if row == nil || row["state"] != "up" || !slices.Contains(classesFor(key), row["class"]) || strings.Contains(avoid, host+"=") {
			continue
		}
		used, _ := strconv.Atoi(row["used"])
		capacity, err := strconv.Atoi(row["capacity"])
		strain, fits := p.strain(kind, host, p.used(host))
		if row["uses"] != "" && (!fits || strain > 1_000_000) {
			continue
		}
		if row["capacity"] == "" || err == nil && used < capacity {
			return host
		}
	}
	return ""
}
