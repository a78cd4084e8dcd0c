package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// HostRecord is host:<host> with its lease and its services.
type HostRecord struct {
	Host        string
	State       stream.HostState
	Want        stream.HostState // what an operator said
	Incarnation string
	HostID      string
	Since       int64 // server ms, of State
	Reason      stream.Reason
	Deadline    int64 // server ms; 0: no lease
	DrainUntil  int64 // server ms; 0: a drain takes as long as it takes
	AtATime     int   // slots that a drain moves at once
	TTL, Beat   time.Duration
	URL         string
	Version     string
	Lacks       string         // of what its file asks for
	Layouts     stream.Layouts // it speaks; zero: it never said
	Labels      stream.Labels  // of its file
	// Pools is what its services share, Taken what their slots take of it.
	Pools, Taken stream.Amounts
	Services     []ServiceRecord
	rev          string // as read: what is held changes only with it
}

// Left tells whether the host is down of its own will, with nothing left to
// take back, and not because its lease lapsed.
func (h HostRecord) Left() bool {
	return h.State == stream.Down && h.Deadline == 0 && h.Reason.Code == stream.CodeLeft
}

// ServiceRecord is service:<type>:<host>.
type ServiceRecord struct {
	Type string
	Host string
	// Capacity as written: empty for no limit. Limit is its number, -1 for
	// no limit; Reason says why the service takes nothing though it is up.
	Capacity string
	Limit    int
	Used     int
	Sidecars int // that it has besides, without capacity
	// Uses is what one slot takes of the host's pools, uses that as written.
	Uses     stream.Amounts
	uses     string
	Filter   string
	Prefer   string
	URL      string
	Class    string
	Needs    string
	State    stream.HostState
	Reason   stream.Reason
	Handover stream.Handover
	Paused   bool // an operator paused its queue
	// Withdrawn: its host's file offers it no more, and it holds slots still.
	Withdrawn bool
	// Check is what its failing check comes to: it takes nothing new, or that is not
	// heeded; zero: it is well.
	Check stream.Reason
}

// Hosts reads every host and service that is known.
func (s *Store) Hosts(ctx context.Context) ([]HostRecord, error) {
	pipe := s.client.Pipeline()
	known, leases := pipe.SMembers(ctx, s.key("hosts")), pipe.ZRangeWithScores(ctx, s.key("hosts:lease"), 0, -1)
	if err := pipelined(pipe.Exec(ctx)); err != nil {
		return nil, fmt.Errorf("read hosts: %w", err)
	}
	// Who beats is a host, though a hand took it from the list.
	names := slices.Clone(known.Val())
	deadline := make(map[string]int64, len(leases.Val()))
	for _, z := range leases.Val() {
		if name, ok := z.Member.(string); ok {
			deadline[name] = int64(z.Score)
			names = append(names, name)
		}
	}
	slices.Sort(names)
	hosts, err := s.hosts(ctx, slices.Compact(names), func(name string) int64 { return deadline[name] })
	listed := known.Val()
	return slices.DeleteFunc(hosts, func(h HostRecord) bool { return h.Incarnation == "" && !slices.Contains(listed, h.Host) }), err
}

// HostsNamed reads some hosts with their services. One that is not known is
// read as well, and has nothing.
func (s *Store) HostsNamed(ctx context.Context, names []string) ([]HostRecord, error) {
	pipe := s.client.Pipeline()
	leases := make(map[string]*redis.FloatCmd, len(names))
	for _, name := range names {
		leases[name] = pipe.ZScore(ctx, s.key("hosts:lease"), name)
	}
	if len(names) == 0 {
		return nil, nil
	}
	if err := pipelined(pipe.Exec(ctx)); err != nil {
		return nil, fmt.Errorf("read hosts:lease: %w", err)
	}
	return s.hosts(ctx, names, func(name string) int64 { return int64(leases[name].Val()) })
}

func (s *Store) hosts(ctx context.Context, names []string, deadline func(host string) int64) ([]HostRecord, error) {
	rows, err := s.hashes(ctx, func(yield func(string)) {
		for _, name := range names {
			yield(s.key("host", name))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read hosts: %w", err)
	}
	hosts := make([]HostRecord, 0, len(names))
	type place struct {
		host  int
		stype string
	}
	var places []place
	oddLabels := make([]error, len(names))
	for i, row := range rows {
		h := HostRecord{
			Host: names[i], State: stream.HostState(row["state"]), Want: stream.HostState(row["want"]),
			Incarnation: row["incarnation"], HostID: row["host_id"], Reason: stream.ParseReason(row["reason"]),
			Deadline: deadline(names[i]), URL: row["url"], Version: row["version"], Lacks: row["lacks"], Layouts: stream.ParseLayouts(row["layouts"]), rev: row["rev"],
		}
		labels, odd := stream.ParseLabels(row["labels"])
		h.Labels, oddLabels[i] = labels, odd
		h.DrainUntil = atoi64(row["drain_until"])
		if h.AtATime = atoi(row["drain_at_a_time"]); h.AtATime < 1 {
			h.AtATime = AtATime // edited by hand
		}
		h.TTL = time.Duration(atoi64(row["ttl"])) * time.Millisecond
		h.Beat = time.Duration(atoi64(row["beat"])) * time.Millisecond
		h.Since, _ = strconv.ParseInt(row["since"], 10, 64) // 0 if edited into nonsense
		for t := range strings.FieldsSeq(row["services"]) {
			places = append(places, place{host: i, stype: t})
		}
		hosts = append(hosts, h)
	}
	services, err := s.hashes(ctx, func(yield func(string)) {
		for _, p := range places {
			yield(s.key("service", p.stype, names[p.host]))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read services: %w", err)
	}
	for i, row := range services {
		h := &hosts[places[i].host]
		v := readService(places[i].stype, h.Host, row)
		if err := oddLabels[places[i].host]; err != nil {
			v.Reason = stream.Because(stream.CodeBadLabels, "error", err.Error())
		}
		h.Services = append(h.Services, v)
	}
	for i := range hosts {
		hosts[i].pooled(rows[i]["pools"])
	}
	return hosts, nil
}

func readService(t, host string, row map[string]string) ServiceRecord {
	v := ServiceRecord{
		Type: t, Host: host, Capacity: row["capacity"], Limit: -1, Used: atoi(row["used"]), Sidecars: atoi(row["sidecars"]),
		uses: row["uses"], Filter: row["filter"], Prefer: row["prefer"], URL: row["url"], Class: row["class"], Needs: row["needs"],
		State: stream.HostState(row["state"]), Reason: stream.ParseReason(row["reason"]),
		Handover: stream.Handover(row["handover"]), Paused: row["paused"] != "", Withdrawn: row["withdrawn"] != "", Check: stream.ParseReason(row["checked"]),
	}
	v.Uses, _ = stream.DecodeAmounts(v.uses) // nonsense is told by pooled
	if v.Capacity != "" {
		limit, err := strconv.Atoi(v.Capacity)
		if err != nil || limit < 0 || limit > 1_000_000 {
			v.Limit, v.Reason = 0, stream.Because(stream.CodeBadCapacity, "capacity", stream.Quote(v.Capacity))
		} else {
			v.Limit = limit
		}
	}
	if places := atoi(row["places"]); places > 0 && v.Reason.IsZero() && (v.Limit < 0 || v.Limit > places) {
		v.Limit = places // what a hand set beyond them counts for nothing
	}
	if _, err := (stream.Class{Filter: v.Filter}).Compile(); err != nil {
		v.Reason = stream.Because(stream.CodeBadFilter, "error", err.Error())
	}
	return v
}

// Types lists the types somebody offers or offered.
func (s *Store) Types(ctx context.Context) ([]string, error) {
	types, err := s.client.SMembers(ctx, s.key("types")).Result()
	if err != nil {
		return nil, fmt.Errorf("read types: %w", err)
	}
	slices.Sort(types)
	return types, nil
}

// SlotTypes lists the types somebody offers or offered, and those of every
// slot that was ever wanted.
func (s *Store) SlotTypes(ctx context.Context) ([]string, error) {
	pipe := s.client.Pipeline()
	offered, wanted := pipe.SMembers(ctx, s.key("types")), pipe.SMembers(ctx, s.key("types:wanted"))
	if err := pipelined(pipe.Exec(ctx)); err != nil {
		return nil, fmt.Errorf("read types: %w", err)
	}
	types := slices.Concat(offered.Val(), wanted.Val())
	slices.Sort(types)
	return slices.Compact(types), nil
}

// PlacesError refuses a capacity that is more than a service has places.
type PlacesError struct {
	Type, Host string
	Places     int
}

func (e *PlacesError) Error() string {
	return fmt.Sprintf("%s on %s has %d places, and a slot without a place cannot run: set %d at most, or list more places in the host's file", e.Type, e.Host, e.Places, e.Places)
}

// SetCapacity sets a service's capacity by hand; nil means no limit. It stays
// until the host's file says another number than before. Errors: ErrNotFound,
// *PlacesError, *LayoutError.
func (s *Store) SetCapacity(ctx context.Context, t, host string, capacity *int) error {
	at := s.key("service", t, host)
	writer, err := s.writer(ctx)
	if err != nil {
		return err
	}
	n, err := writer.Exists(ctx, at).Result()
	if err != nil {
		return fmt.Errorf("set capacity of %s on %s: %w", t, host, err)
	}
	if n == 0 {
		return fmt.Errorf("service %s on %s: %w", t, host, ErrNotFound)
	}
	text, err := s.client.HGet(ctx, at, "places").Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("set capacity of %s on %s: %w", t, host, err)
	}
	if places := atoi(text); places > 0 && (capacity == nil || *capacity > places) {
		return &PlacesError{Type: t, Host: host, Places: places}
	}
	if capacity == nil {
		err = writer.HDel(ctx, at, "capacity").Err()
	} else {
		err = writer.HSet(ctx, at, "capacity", *capacity).Err()
	}
	if err != nil {
		return fmt.Errorf("set capacity of %s on %s: %w", t, host, err)
	}
	_, err = s.Reindex(ctx, host, nil)
	return err
}
