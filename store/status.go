package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// streamChunk is how many names of streams one call lists.
const streamChunk = 1000

// StreamKeys lists every stream that has a record, in order.
func (s *Store) StreamKeys(ctx context.Context) ([]string, error) {
	var keys []string
	for {
		part, err := s.client.ZRange(ctx, s.key("streams"), int64(len(keys)), int64(len(keys)+streamChunk-1)).Result()
		if err != nil && !isRefusal(err) {
			return nil, fmt.Errorf("read streams: %w", err)
		}
		keys = append(keys, part...)
		if len(part) < streamChunk {
			slices.Sort(keys)
			return slices.Compact(keys), nil
		}
	}
}

// Status reads the whole picture, in small calls that do not block the
// server. It is no snapshot of one moment; but a store that is emptied
// meanwhile is told on hold, as that is asked for last.
func (s *Store) Status(ctx context.Context) (stream.Status, error) {
	keys, err := s.StreamKeys(ctx)
	if err != nil {
		return stream.Status{}, err
	}
	streams, err := s.StatusOf(ctx, keys)
	if err != nil {
		return stream.Status{}, err
	}
	out, err := s.Overview(ctx)
	if err != nil {
		return stream.Status{}, err
	}
	out.Streams = streams
	return out, nil
}

// Overview is the picture without its streams, which are most of it: Streams
// is empty. Who reads them, too, does so before it: see Status.
func (s *Store) Overview(ctx context.Context) (stream.Status, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return stream.Status{}, err
	}
	out := stream.Status{At: now, Streams: []stream.StreamStatus{}, Hosts: []stream.HostStatus{}, Sources: []stream.SourceStatus{}}
	if out.Refused, err = s.refusedNow(ctx, now); err != nil {
		return stream.Status{}, err
	}
	if out.Troubles, err = s.troublesNow(ctx, now); err != nil {
		return stream.Status{}, err
	}
	hosts, err := s.Hosts(ctx)
	if err != nil {
		return stream.Status{}, err
	}
	for _, h := range hosts {
		out.Hosts = append(out.Hosts, hostStatus(h, now))
	}
	if out.Sources, err = s.Sources(ctx); err != nil {
		return stream.Status{}, err
	}
	if out.Jobs, err = s.JobsStatus(ctx); err != nil {
		return stream.Status{}, err
	}
	if out.Aside, err = s.Aside(ctx); err != nil {
		return stream.Status{}, err
	}
	if out.Hold, err = s.held(ctx, now); err != nil {
		return stream.Status{}, err
	}
	return out, nil
}

// StatusOf is the picture of some streams, without those that do not exist, or have ended
// and wait for their jobs.
func (s *Store) StatusOf(ctx context.Context, keys []string) ([]stream.StreamStatus, error) {
	records, err := s.records(ctx, keys, true)
	if err != nil {
		return nil, err
	}
	out := make([]stream.StreamStatus, 0, len(records))
	for _, r := range records {
		if r.Gone && len(r.Instances) == 0 && len(r.Jobs) > 0 {
			continue // it ended, and only what comes after it is left
		}
		out = append(out, streamStatus(r))
	}
	return out, s.measure(ctx, records, out)
}

// measure says how near slots are to what they wish to be near to, and which copies are together
// that should be apart; a round trip only if that takes labels of hosts.
func (s *Store) measure(ctx context.Context, records []Record, streams []stream.StreamStatus) error {
	pipe := s.client.Pipeline()
	said := map[string]*redis.StringCmd{}
	wishes := func(v stream.StreamStatus) bool {
		return slices.ContainsFunc(v.Chain, func(slot string) bool {
			return len(v.Items[slot].Near) > 0 || v.Items[slot].Apart != "" && v.Items[slot].Apart != stream.ApartHost
		})
	}
	for _, v := range streams {
		for _, i := range v.Slots {
			if i.Host != "" && said[i.Host] == nil && wishes(v) {
				said[i.Host] = pipe.HGet(ctx, s.key("host", i.Host), "labels")
			}
		}
	}
	if len(said) > 0 {
		if err := pipelined(pipe.Exec(ctx)); err != nil {
			return fmt.Errorf("read labels of hosts: %w", err)
		}
	}
	labels := func(host string) stream.Labels { return labelsSaid(said[host]) }
	byKey := make(map[string]Record, len(records))
	for _, r := range records {
		byKey[r.Key] = r
	}
	for i := range streams {
		r := byKey[streams[i].Key]
		streams[i].Join(labels, func(instance string) (host, by string) {
			return r.Instances[instance].Anyway, r.Instances[instance].AnywayBy
		})
		if wishes(streams[i]) {
			streams[i].Measure(labels)
		}
	}
	return nil
}

// Now is the store's clock, in milliseconds.
func (s *Store) Now(ctx context.Context) (int64, error) {
	t, err := s.client.Time(ctx).Result()
	if err != nil {
		return 0, fmt.Errorf("read the store's clock: %w", err)
	}
	return t.UnixMilli(), nil
}

// atoi64 reads a time that people may have edited; nonsense is 0.
func atoi64(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func streamStatus(r Record) stream.StreamStatus {
	out := stream.StreamStatus{
		Key: r.Key, Source: r.Source, Chain: r.Chain, Items: r.Items, Priority: r.Priority, Held: r.Held,
		Told: stream.ParseReason(r.Sys["reason"]).Told(), Vars: r.Vars, Slots: []stream.InstanceStatus{},
		SwitchedOn: r.Overrides.Switched(true), SwitchedOff: r.Overrides.Switched(false),
	}
	if out.Chain == nil {
		out.Chain = []string{}
	}
	if labels, err := stream.ParseLabels(r.Sys["labels"]); err == nil { // what a hand broke is none
		out.Labels = labels
	}
	order := slices.Clone(r.Chain)
	var rest []string
	for slot := range r.Slots {
		if !slices.Contains(order, slot) {
			rest = append(rest, slot)
		}
	}
	slices.Sort(rest) // left the chain, still stopping
	for _, slot := range append(order, rest...) {
		all := r.Of(slot)
		for _, v := range all {
			out.Slots = append(out.Slots, instanceStatus(slot, r, v, len(all) == 1))
		}
	}
	out.Judge()
	return out
}

func instanceStatus(slot string, r Record, v InstanceRecord, alone bool) stream.InstanceStatus {
	out := stream.InstanceStatus{
		Slot: slot, Instance: v.Instance, Name: stream.ShownAs(v.Instance, alone), Type: v.Type, Lead: r.Slots[slot].Lead == v.Instance, Copy: v.Copy,
		State: v.State, Phase: v.Phase, Host: v.Host, Token: v.Token, Since: v.Since, Restarts: v.Restarts,
		Told: v.Reason.Told(), Vars: v.Vars, Exit: v.Exit, Stderr: v.Stderr, Speed: v.Speed, FPS: v.FPS, Stale: v.Stale,
		Pin: r.Overrides.Pins[slot], With: v.With,
	}
	if out.Host != "" {
		out.Placed = stream.Issued(out.Token)
		if !v.Here.IsZero() {
			here := v.Here.Told()
			out.Here = &here
		}
	}
	if out.Lead {
		out.Vars = r.Slots[slot].Vars // what it said last, until it says more
	}
	return out
}

func hostStatus(h HostRecord, now int64) stream.HostStatus {
	out := stream.HostStatus{Host: h.Host, State: h.State, Since: h.Since, URL: h.URL, Version: h.Version, Lacks: h.Lacks, Layouts: h.Layouts.String(), Labels: h.Labels, Services: []stream.ServiceStatus{}}
	out.Left = h.Left()
	if h.Deadline != 0 {
		out.LeaseMS = h.Deadline - now
	} else {
		out.State = stream.Down // nothing is given to it, whatever its record says
	}
	for _, name := range h.Pools.Names() {
		out.Pools = append(out.Pools, stream.PoolStatus{Pool: name, Size: h.Pools[name], Used: h.Taken[name]})
	}
	for _, v := range h.Services {
		status := stream.ServiceStatus{Type: v.Type, Used: v.Used, Uses: v.Uses, Filter: v.Filter, Needs: v.Needs, State: v.State, URL: v.URL, Told: v.Reason.Told()}
		if v.Reason.IsZero() {
			status.Told = v.Check.Told()
		}
		if h.Deadline == 0 {
			status.State = stream.Down
		}
		if v.Limit >= 0 {
			status.Capacity = &v.Limit
		}
		out.Services = append(out.Services, status)
	}
	return out
}

// Sources reads every source that was ever announced.
func (s *Store) Sources(ctx context.Context) ([]stream.SourceStatus, error) {
	names, err := s.SourceNames(ctx)
	if err != nil {
		return nil, err
	}
	pipe := s.client.Pipeline()
	counts := make([]*redis.IntCmd, len(names))
	rows, differs := make([]*redis.MapStringStringCmd, len(names)), make([]*redis.MapStringStringCmd, len(names))
	now := pipe.Time(ctx)
	for i, name := range names {
		counts[i] = pipe.HLen(ctx, s.key("announced", name))
		rows[i] = pipe.HGetAll(ctx, s.key("source", name))
		differs[i] = pipe.HGetAll(ctx, s.key("differs", name))
	}
	out := make([]stream.SourceStatus, 0, len(names))
	if len(names) == 0 {
		return out, nil
	}
	if err := pipelined(pipe.Exec(ctx)); err != nil {
		return nil, fmt.Errorf("read sources: %w", err)
	}
	for i, name := range names {
		row := rows[i].Val()
		status := stream.SourceStatus{
			Name: name, State: stream.SourceState(row["state"]), LastGood: atoi64(row["last_good"]),
			Streams: int(counts[i].Val()), Error: row["error"],
		}
		var info SourceInfo
		if row["info"] != "" {
			if err := json.Unmarshal([]byte(row["info"]), &info); err != nil {
				status.Error = fmt.Sprintf("source:%s info is no JSON; the next poll mends it", name)
			}
		}
		status.Expect, status.Refused, status.Example = info.Expect, info.Refused, info.Example
		status.Over, status.OverExample, status.Max = info.Over, info.OverExample, info.Max
		status.Stalled, status.Warning = info.Stalled, info.Warning
		if r := rulingOf(row); r.Version > 0 {
			status.Rules = &stream.RulesStatus{Version: r.Version, By: r.By, At: r.At}
		}
		for _, f := range differing(differs[i].Val(), now.Val().UnixMilli()) {
			status.Differs = append(status.Differs, f.DifferingFile)
		}
		if name == ManualSource {
			status.State = stream.SourceGood // nobody polls it
		} else if status.State == "" {
			status.State = stream.SourceUnknown
		}
		out = append(out, status)
	}
	return out, nil
}

// StreamStatus reads one stream. Error: ErrNotFound.
func (s *Store) StreamStatus(ctx context.Context, key string) (stream.StreamStatus, error) {
	all, err := s.StatusOf(ctx, []string{key})
	if err != nil {
		return stream.StreamStatus{}, err
	}
	if len(all) == 0 {
		return stream.StreamStatus{}, notFound(key)
	}
	return all[0], nil
}
