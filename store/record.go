package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// Record is stream:<key> with its slots and their instances, as Redis has them.
type Record struct {
	Key      string
	Chain    []string
	Items    stream.Items // of the chain
	Source   string
	Priority int
	Held     bool // by an operator
	Gone     bool // ended; some slots still stop
	// Away: no poller lists the stream just now.
	Away   bool
	Vars   map[string]string // user values: ${stream:<var>}
	Origin map[string]string // ${source:<var>}
	Sys    map[string]string // sys:<name>, without the prefix
	// Overrides are an operator's words. Only what reads a status asks for them.
	Overrides Overrides
	Slots     map[string]Slot
	Instances map[string]InstanceRecord
	// Jobs are the names of those that come after its instances. They are in no list of
	// slots and not read here: see Store.Jobs.
	Jobs []string
}

// Slot is stream:<key>:<slot>: what a slot of a chain is to people and to the
// others of its stream.
type Slot struct {
	Type string
	Lead string // the instance that leads, or led last
	// State and Host of the lead.
	State stream.State
	Host  string
	Vars  map[string]string // ${<slot>:<var>}: what its lead published
	Said  int64             // when an instance of it published first, server ms; 0: none yet
}

// TypeOf is the service type that runs a slot; of one that has no record yet, what
// the chain says.
func (r Record) TypeOf(slot string) string {
	if s, ok := r.Slots[slot]; ok && s.Type != "" {
		return s.Type
	}
	return r.Items.Type(slot)
}

// LeadOf is the instance that leads a slot; zero: there is none.
func (r Record) LeadOf(slot string) InstanceRecord { return r.Instances[r.Slots[slot].Lead] }

// Find is the instance of that name, or the one that leads the slot of that name.
func (r Record) Find(name string) (InstanceRecord, bool) {
	if lead := r.Slots[name].Lead; lead != "" {
		name = lead
	}
	v, ok := r.Instances[name]
	return v, ok
}

// Of lists the instances of a slot, by name.
func (r Record) Of(slot string) []InstanceRecord {
	var out []InstanceRecord
	for _, name := range slices.SortedFunc(maps.Keys(r.Instances), stream.CompareInstances) {
		if stream.SlotOf(name) == slot {
			out = append(out, r.Instances[name])
		}
	}
	return out
}

// Anchor is the host where the copy of a slot is, beside which its sidecars run; empty:
// on none. One that is to follow another is not looked at.
func (r Record) Anchor(slot string, number int) string {
	for _, v := range r.Of(slot) {
		if v.Copy == number && v.Host != "" && v.Follows == "" && v.State != stream.Stopping {
			return v.Host
		}
	}
	return ""
}

// Successor is the instance that is to follow the one of that name; zero: none.
func (r Record) Successor(instance string) InstanceRecord {
	for _, v := range r.Instances {
		if v.Follows == instance && v.State != stream.Stopping {
			return v
		}
	}
	return InstanceRecord{}
}

// InstanceRecord is stream:<key>:<instance>.
type InstanceRecord struct {
	Reservation
	Copy     int      // its number among the copies of its slot, from 1
	Only     string   // the one host that may have it, as it is that host's; empty: any
	Apart    string   // what the copies of its slot never share; empty: they may share a host
	With     string   // the slot whose sidecar its own is; empty: it holds capacity
	Sidecars []string // slots that are sidecars of its own
	Anyway   string   // the host that an operator lets it share with a copy that it is apart from; empty: none
	AnywayBy string   // who said so
	Follows  string   // the instance whose place it is to take; it is kept off that one's host
	State    stream.State
	Since    int64 // server milliseconds, of State, or since when its child runs or does not
	Reason   stream.Reason
	Here     stream.Reason // why it left where it was before; none: it was nowhere
	Restarts int
	Vars     map[string]string // what it published
	// Kept is what it published before it was taken back, until it publishes again.
	Kept  map[string]string
	Avoid map[string]int64 // host → server ms until which it is avoided
	// Move: the holder is to stop the child and give the slot back, because it
	// is wanted elsewhere: on a host, or "*" for any other.
	Move   string
	Exit   string
	Stderr []string
	Speed  string
	FPS    string
	Stale  bool
	Up     bool // its holder said that the child was started
	// Phase of a running slot's child.
	Phase stream.Phase
	// Ran: its child ran under its token.
	Ran bool
	// Job is what a job is besides; nil: it is none.
	Job *JobFields
	// Restart is since when an operator wants the child started anew, server
	// ms; 0: nobody does. The holder takes it away when it has done so.
	Restart int64
}

// Record reads a stream. Error: ErrNotFound.
func (s *Store) Record(ctx context.Context, key string) (Record, error) {
	records, err := s.Records(ctx, []string{key})
	if err != nil {
		return Record{}, err
	}
	if len(records) == 0 {
		return Record{}, notFound(key)
	}
	return records[0], nil
}

func notFound(key string) error {
	return fmt.Errorf("stream %s: %w", stream.Quote(key), ErrNotFound)
}

// recordChunk is how many streams one round trip asks for.
const recordChunk = 200

// Records reads several streams in few round trips, leaving out those that
// do not exist.
func (s *Store) Records(ctx context.Context, keys []string) ([]Record, error) {
	return s.records(ctx, keys, false)
}

func (s *Store) records(ctx context.Context, keys []string, overrides bool) ([]Record, error) {
	var out []Record
	for len(keys) > 0 {
		n := min(len(keys), recordChunk)
		part, err := s.recordsOnce(ctx, keys[:n], overrides)
		if err != nil {
			return nil, err
		}
		out, keys = append(out, part...), keys[n:]
	}
	return out, nil
}

func (s *Store) recordsOnce(ctx context.Context, keys []string, overrides bool) ([]Record, error) {
	rows, err := s.hashes(ctx, func(yield func(string)) {
		for _, key := range keys {
			yield(s.key("stream", key))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read streams: %w", err)
	}
	var records []Record
	var names []string // <key>|<slot or instance>
	for i, row := range rows {
		if len(row) == 0 {
			continue
		}
		r := readRecord(keys[i], row)
		for slot := range r.Slots {
			names = append(names, stream.Member(r.Key, slot))
		}
		for instance := range r.Instances {
			names = append(names, stream.Member(r.Key, instance))
		}
		records = append(records, r)
	}
	byKey := make(map[string]*Record, len(records))
	for i := range records {
		byKey[records[i].Key] = &records[i]
	}
	slots, err := s.hashes(ctx, func(yield func(string)) {
		for _, member := range names {
			key, slot, _ := strings.Cut(member, "|")
			yield(s.key("stream", key, slot))
		}
		if overrides {
			for i := range records {
				yield(s.key("override", records[i].Key))
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read slots: %w", err)
	}
	for i, row := range slots[len(names):] {
		records[i].Overrides = readOverrides(row)
	}
	for i, row := range slots[:len(names)] {
		key, name, _ := strings.Cut(names[i], "|")
		r := byKey[key]
		_, slot := r.Slots[name]
		switch {
		case len(row) == 0: // ended between the two reads
			delete(r.Slots, name)
			delete(r.Instances, name)
		case slot:
			r.Slots[name] = Slot{
				Type: row["type"], Lead: row["lead"], State: stream.State(row["state"]), Host: row["host"], Vars: readVars(row, "var:"), Said: atoi64(row["said"]),
			}
		default:
			r.Instances[name] = readInstance(key, name, row)
		}
	}
	return records, nil
}

// hashes reads many hashes in one round trip. One that a hand made another type of
// reads as empty.
func (s *Store) hashes(ctx context.Context, keys func(yield func(string))) ([]map[string]string, error) {
	pipe := s.client.Pipeline()
	var cmds []*redis.MapStringStringCmd
	keys(func(key string) { cmds = append(cmds, pipe.HGetAll(ctx, key)) })
	if len(cmds) == 0 {
		return nil, nil
	}
	if err := pipelined(pipe.Exec(ctx)); err != nil {
		return nil, err
	}
	rows := make([]map[string]string, len(cmds))
	for i, cmd := range cmds {
		rows[i] = cmd.Val()
	}
	return rows, nil
}

func readRecord(key string, row map[string]string) Record {
	r := Record{
		Key: key, Source: row["source"],
		Vars: map[string]string{}, Origin: map[string]string{}, Sys: map[string]string{},
		Slots: map[string]Slot{}, Instances: map[string]InstanceRecord{},
	}
	for field, value := range row {
		scope, name, scoped := strings.Cut(field, ":")
		switch {
		case field == "chain":
			r.Chain = readChain(value)
		case field == "items":
			r.Items = stream.DecodeItems(value)
		case field == "priority":
			r.Priority = atoi(value)
		case field == "key" || field == "source":
		case !scoped:
			r.Vars[field] = value
		case scope == "source":
			r.Origin[name] = value
		case scope == "sys":
			r.Sys[name] = value
		case scope == "instance":
			switch i, err := stream.ParseInstance(name); {
			case err != nil: // an edit
			case i.Job != "":
				r.Jobs = append(r.Jobs, name)
			default:
				r.Slots[i.Slot], r.Instances[name] = Slot{}, InstanceRecord{}
			}
		}
	}
	r.Held, r.Gone, r.Away = r.Sys["held"] != "", r.Sys["gone"] != "", r.Sys["away"] != ""
	return r
}

// readChain reads a chain; one edited into nonsense is empty, and want mends it.
func readChain(value string) []string {
	var chain []string
	if json.Unmarshal([]byte(value), &chain) != nil {
		return nil
	}
	return chain
}

func readInstance(key, instance string, row map[string]string) InstanceRecord {
	r := InstanceRecord{
		Reservation: Reservation{Key: key, Instance: instance, Type: row["type"], Host: row["host"], Token: row["token"]},
		State:       stream.State(row["state"]),
		Reason:      stream.ParseReason(row["reason"]), Here: stream.ParseReason(row["here"]), Restarts: atoi(row["restarts"]), Move: row["move"],
		Exit: row["exit"], Speed: row["speed"], FPS: row["fps"], Stale: row["stale"] != "", Up: row["up"] != "", Ran: row["ran"] != "",
		Restart: atoi64(row["restart"]), Copy: max(atoi(row["copy"]), 1), Apart: row["apart"], Only: row["only"], With: row["with"], Sidecars: strings.Fields(row["sidecars"]), Follows: row["follows"],
		Vars: readVars(row, "var:"), Kept: readVars(row, "kept:"), Avoid: map[string]int64{},
	}
	r.Anyway, r.AnywayBy, _ = strings.Cut(row["anyway"], " ")
	if row["off"] != "" {
		r.Avoid[row["off"]] = math.MaxInt64
	}
	if phase := stream.Phase(row["phase"]); phase == stream.Starting || phase == stream.Unready || phase == stream.Failing {
		r.Phase = phase // anything else is an edit
	}
	if row["job"] != "" {
		r.Job = readJob(row)
	}
	r.Since, _ = strconv.ParseInt(row["since"], 10, 64) // 0 if edited into nonsense: shown as never
	if row["stderr"] != "" {
		r.Stderr = strings.Split(row["stderr"], "\n")
	}
	for entry := range strings.FieldsSeq(row["avoid"]) {
		host, till, _ := strings.Cut(entry, "=")
		if until, err := strconv.ParseInt(till, 10, 64); err == nil {
			r.Avoid[host] = until
		}
	}
	return r
}

func readVars(row map[string]string, prefix string) map[string]string {
	vars := map[string]string{}
	for field, value := range row {
		if name, ok := strings.CutPrefix(field, prefix); ok {
			vars[name] = value
		}
	}
	return vars
}

// atoi reads a number that people may have edited; nonsense is 0.
func atoi(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// Fields are what the holder of a slot keeps of the stream's record, to
// restore it in a store that forgot: the form Want.Fields and Copy.Fields have.
func (r Record) Fields() map[string]string {
	fields := make(map[string]string, len(r.Vars)+len(r.Origin))
	for name, value := range r.Vars {
		fields[name] = value
	}
	for name, value := range r.Origin {
		fields["source:"+name] = value
	}
	return fields
}

// SlotsOf reads what the store says a host holds. Rows that a hand broke are
// left out; the next reindex removes them.
func (s *Store) SlotsOf(ctx context.Context, host string) ([]InstanceRecord, error) {
	members, err := s.client.ZRange(ctx, s.key("slots", host), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("read slots:%s: %w", host, err)
	}
	var held []Reservation
	for _, member := range members {
		if v, ok := splitMember(member); ok {
			held = append(held, v)
		}
	}
	rows, err := s.hashes(ctx, func(yield func(string)) {
		for _, v := range held {
			yield(s.key("stream", v.Key, v.Instance))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read slots of %s: %w", host, err)
	}
	var out []InstanceRecord
	for i, row := range rows {
		if row["host"] == host {
			out = append(out, readInstance(held[i].Key, held[i].Instance, row))
		}
	}
	return out, nil
}
