package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// Record is stream:<key> with its slots, as Redis has them.
type Record struct {
	Key      string
	Chain    []string
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
	Slots     map[string]SlotRecord
}

// SlotRecord is stream:<key>:<slot>.
type SlotRecord struct {
	Reservation
	State    stream.State
	Since    int64 // server milliseconds, of State, or since when its child runs or does not
	Reason   stream.Reason
	Restarts int
	Vars     map[string]string // published: ${<slot>:<var>}
	Avoid    map[string]int64  // host → server ms until which it is avoided
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
	var slotKeys []string
	for i, row := range rows {
		if len(row) == 0 {
			continue
		}
		r := readRecord(keys[i], row)
		for slot := range r.Slots {
			slotKeys = append(slotKeys, r.Key+"|"+slot)
		}
		records = append(records, r)
	}
	byKey := make(map[string]*Record, len(records))
	for i := range records {
		byKey[records[i].Key] = &records[i]
	}
	slots, err := s.hashes(ctx, func(yield func(string)) {
		for _, member := range slotKeys {
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
	for i, row := range slots[len(slotKeys):] {
		records[i].Overrides = readOverrides(row)
	}
	for i, row := range slots[:len(slotKeys)] {
		key, slot, _ := strings.Cut(slotKeys[i], "|")
		if len(row) == 0 {
			delete(byKey[key].Slots, slot) // ended between the two reads
			continue
		}
		byKey[key].Slots[slot] = readSlot(key, slot, row)
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
		Vars: map[string]string{}, Origin: map[string]string{}, Sys: map[string]string{}, Slots: map[string]SlotRecord{},
	}
	for field, value := range row {
		scope, name, scoped := strings.Cut(field, ":")
		switch {
		case field == "chain":
			r.Chain = readChain(value)
		case field == "priority":
			r.Priority = atoi(value)
		case field == "key" || field == "source":
		case !scoped:
			r.Vars[field] = value
		case scope == "source":
			r.Origin[name] = value
		case scope == "sys":
			r.Sys[name] = value
		case scope == "slot":
			r.Slots[name] = SlotRecord{}
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

func readSlot(key, slot string, row map[string]string) SlotRecord {
	r := SlotRecord{
		Reservation: Reservation{Key: key, Slot: slot, Type: row["type"], Host: row["host"], Token: row["token"]},
		State:       stream.State(row["state"]),
		Reason:      stream.ParseReason(row["reason"]), Restarts: atoi(row["restarts"]), Move: row["move"],
		Exit: row["exit"], Speed: row["speed"], FPS: row["fps"], Stale: row["stale"] != "", Up: row["up"] != "",
		Restart: atoi64(row["restart"]),
		Vars:    map[string]string{}, Avoid: map[string]int64{},
	}
	if phase := stream.Phase(row["phase"]); phase == stream.Starting || phase == stream.Failing {
		r.Phase = phase // anything else is an edit
	}
	r.Since, _ = strconv.ParseInt(row["since"], 10, 64) // 0 if edited into nonsense: shown as never
	if row["stderr"] != "" {
		r.Stderr = strings.Split(row["stderr"], "\n")
	}
	for field, value := range row {
		if name, ok := strings.CutPrefix(field, "var:"); ok {
			r.Vars[name] = value
		}
	}
	for entry := range strings.FieldsSeq(row["avoid"]) {
		host, till, _ := strings.Cut(entry, "=")
		if until, err := strconv.ParseInt(till, 10, 64); err == nil {
			r.Avoid[host] = until
		}
	}
	return r
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
func (s *Store) SlotsOf(ctx context.Context, host string) ([]SlotRecord, error) {
	members, err := s.client.SMembers(ctx, s.key("slots", host)).Result()
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
			yield(s.key("stream", v.Key, v.Slot))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read slots of %s: %w", host, err)
	}
	var out []SlotRecord
	for i, row := range rows {
		if row["host"] == host {
			out = append(out, readSlot(held[i].Key, held[i].Slot, row))
		}
	}
	return out, nil
}
