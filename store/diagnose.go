package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"stream-api/stream"
)

// Level is how grave a Finding is.
type Level string

// The levels of a Finding.
const (
	Fine    Level = "ok"
	Warning Level = "warning"
	Failure Level = "failure"
)

// Finding is one thing looked at, and what to do about it.
type Finding struct {
	Level Level  `json:"level"`
	What  string `json:"what"`
	Do    string `json:"do,omitempty"`
}

// Diagnose looks at the store and at what is in it, as an operator should
// before an event. What Redis refuses is a finding, and the rest is looked at.
// Error: the store does not answer.
func (s *Store) Diagnose(ctx context.Context) ([]Finding, error) {
	var out []Finding
	for _, look := range []func(context.Context) ([]Finding, error){s.diagnoseServer, s.diagnoseWrites, s.diagnoseClock, s.diagnosePicture} {
		found, err := look(ctx)
		if r, refused := RefusalOf(err); refused {
			found, err = append(found, Finding{Failure, err.Error(), r.Do}), nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, found...)
	}
	return out, nil
}

func (s *Store) diagnosePicture(ctx context.Context) ([]Finding, error) {
	status, err := s.Status(ctx)
	if err != nil {
		return nil, err
	}
	found := diagnoseStatus(status)
	odd, err := s.Odd(ctx)
	for _, k := range odd {
		found = append(found, Finding{Failure, fmt.Sprintf("%s is a %s and no %s: what should be in it is not read", k.Key, k.Was, k.Should),
			"a scheduler sets it aside within 10 s; if none is at work: redis-cli RENAME it to another name"})
	}
	return found, err
}

// diagnoseWrites looks whether what runs can be written down.
func (s *Store) diagnoseWrites(ctx context.Context) ([]Finding, error) {
	r, refused, err := s.Writes(ctx)
	if err != nil || !refused {
		return nil, err
	}
	return []Finding{{Failure, "Redis takes no writes, so nothing new starts: " + r.Answer, r.Do}}, nil
}

// minVersion is the oldest Redis whose scripts and commands are tested.
const minVersion = 6

func (s *Store) diagnoseServer(ctx context.Context) ([]Finding, error) {
	info, err := s.info(ctx)
	if r, refused := RefusalOf(err); refused && (r.Word == "noperm" || r.Word == "unknown-command") {
		return []Finding{{Warning, "INFO is refused, so version, persistence, eviction, memory and replicas are not looked at, and a quick restart of Redis costs a hold: " + r.Answer, r.Do}}, nil
	}
	if err != nil {
		return nil, err
	}
	if info["redis_version"] == "" {
		return []Finding{{Warning, "the store does not describe itself: it is the embedded one", "use a real Redis on air: it keeps nothing over a restart"}}, nil
	}
	major, _, _ := strings.Cut(info["redis_version"], ".")
	var out []Finding
	if atoi(major) < minVersion {
		out = append(out, Finding{Failure, "Redis " + info["redis_version"] + " is too old", fmt.Sprintf("use %d.2 or newer", minVersion)})
	} else {
		out = append(out, Finding{Fine, "Redis " + info["redis_version"], ""})
	}
	if info["redis_mode"] == "cluster" {
		out = append(out, Finding{Failure, "this is a Redis Cluster", "use one primary, with replicas and Sentinel if wanted"})
	}
	if p := info["maxmemory_policy"]; p != "" && p != "noeviction" {
		out = append(out, Finding{Failure, "maxmemory-policy is " + p + ": Redis may throw away what runs where", "CONFIG SET maxmemory-policy noeviction, and in redis.conf"})
	} else {
		out = append(out, Finding{Fine, "nothing is evicted", ""})
	}
	out = append(out, diagnoseMemory(info))
	if info["aof_enabled"] != "1" {
		out = append(out, Finding{Warning, "no append-only file: a restart comes back with old data or none, and everything is held for a lease's length", "CONFIG SET appendonly yes, and in redis.conf; appendfsync everysec"})
	} else {
		out = append(out, Finding{Fine, "append-only file is on", ""})
	}
	if info["aof_last_write_status"] == "err" || info["rdb_last_bgsave_status"] == "err" {
		out = append(out, Finding{Failure, "Redis could not write to its disk", "look at its log and at the free space"})
	}
	return append(out, diagnoseReplicas(info)...), nil
}

// fullAt is the part of maxmemory above which it is time to look: what is
// written in a burst must fit into the rest.
const fullAt = 0.8

// diagnoseMemory compares what is used with what may be. At maxmemory Redis
// refuses whatever takes more.
func diagnoseMemory(info map[string]string) Finding {
	used, most := atoi64(info["used_memory"]), atoi64(info["maxmemory"])
	megabytes := func(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
	switch {
	case most == 0:
		return Finding{Fine, "Redis uses " + megabytes(used) + ", without a maxmemory", ""}
	case used >= most:
		return Finding{Failure, fmt.Sprintf("Redis is full: %s of %s (maxmemory)", megabytes(used), megabytes(most)), refusalOf("OOM", "").Do}
	case float64(used) >= fullAt*float64(most):
		return Finding{Warning, fmt.Sprintf("Redis is nearly full: %s of %s (maxmemory)", megabytes(used), megabytes(most)), "CONFIG SET maxmemory to more, and in redis.conf; or find what else fills it"}
	}
	return Finding{Fine, fmt.Sprintf("Redis uses %s of %s (maxmemory)", megabytes(used), megabytes(most)), ""}
}

func diagnoseReplicas(info map[string]string) []Finding {
	n := atoi(info["connected_slaves"])
	if info["role"] == "slave" {
		return []Finding{{Failure, "this is a replica: nothing can be written", "give the primary, or redis+sentinel://…"}}
	}
	if n == 0 {
		return []Finding{{Warning, "no replica: if this machine dies, what runs goes on but nothing new starts until it is back", "add a replica and three Sentinels if that matters"}}
	}
	out := []Finding{{Fine, strconv.Itoa(n) + " replicas", ""}}
	// INFO has this line only where the setting is not 0; CONFIG GET, which has
	// passwords too, is not for every host.
	if good, set := info["min_slaves_good_slaves"]; set {
		out = append(out, Finding{Fine, "min-replicas-to-write is set; " + good + " replicas are good enough for it", ""})
	} else {
		out = append(out, Finding{Warning, "min-replicas-to-write is 0: a primary that is cut off goes on taking writes that will be lost", "CONFIG SET min-replicas-to-write 1"})
	}
	return out
}

func (s *Store) diagnoseClock(ctx context.Context) ([]Finding, error) {
	const samples = 20
	var worst, total time.Duration
	var offset time.Duration
	for range samples {
		started := time.Now()
		t, err := s.client.Time(ctx).Result()
		if err != nil {
			return nil, fmt.Errorf("read the store's clock: %w", err)
		}
		took := time.Since(started)
		total += took
		worst = max(worst, took)
		offset = t.Sub(started.Add(took / 2))
	}
	out := []Finding{{Fine, fmt.Sprintf("the store answers in %v (mean of %d), %v at worst", (total / samples).Round(10*time.Microsecond), samples, worst.Round(10*time.Microsecond)), ""}}
	if total/samples > 100*time.Millisecond {
		out[0].Level, out[0].Do = Warning, "use longer leases (lease: {ttl: 15s, beat: 3s}) over such a way"
	}
	if offset.Abs() > 2*time.Second {
		out = append(out, Finding{Warning, fmt.Sprintf("this machine's clock is %v off the store's", (-offset).Round(100*time.Millisecond)), "nothing depends on it but times in logs; run an NTP client on both"})
	}
	return out, nil
}

// diagnoseVersions names the hosts that run another version than most do.
func diagnoseVersions(hosts []stream.HostStatus) []Finding {
	by := map[string][]string{}
	for _, h := range hosts {
		if h.State != stream.Down && h.Version != "" {
			by[h.Version] = append(by[h.Version], h.Host)
		}
	}
	most := ""
	for _, version := range slices.Sorted(maps.Keys(by)) {
		if len(by[version]) >= len(by[most]) {
			most = version // of as many the later
		}
	}
	var out []Finding
	for _, version := range slices.Sorted(maps.Keys(by)) {
		if version != most {
			out = append(out, Finding{Warning, fmt.Sprintf("version %s runs on %s, %s on the rest", version, strings.Join(by[version], ", "), most),
				"versions one apart run together; install one on all, and systemctl reload stream-api"})
		}
	}
	return out
}

func diagnoseStatus(status stream.Status) []Finding {
	var out []Finding
	for _, v := range status.Refused {
		out = append(out, Finding{Failure, fmt.Sprintf("Redis refuses %s of host %s: %s", v.What, v.Host, v.Answer), v.Do})
	}
	for _, v := range status.Troubles {
		out = append(out, Finding{Failure, "host " + v.Host + ": " + v.What, v.Do})
	}
	if h := status.Hold; h != nil {
		out = append(out, Finding{Warning, "on hold: " + h.Reason, "what runs goes on; wait, or start a host with scheduler.enabled: true if none is at work"})
	}
	out = append(out, diagnoseLacks(status.Hosts)...)
	for _, h := range status.Hosts {
		if h.State == stream.Down && !h.Left {
			out = append(out, Finding{Warning, "host " + h.Host + " is down", "start it; if it will not come back: stream-api hosts rm " + h.Host})
		}
		for _, p := range h.Pools {
			if p.Used > p.Size {
				out = append(out, Finding{Warning, fmt.Sprintf("pool %s of %s is over-full: %s/%s", p.Pool, h.Host, p.Used, p.Size), "it drains as streams end; or move some: stream-api streams move"})
			}
		}
		for _, v := range h.Services {
			switch {
			case v.Code == stream.CodeCheckFails || v.Code == stream.CodeCheckIgnored:
				out = append(out, Finding{Failure, v.Type + " on " + h.Host + ": " + v.Reason, "mend what its check asks, or the check: services." + v.Type + ".check of its file"})
			case v.Reason != "":
				out = append(out, Finding{Failure, v.Type + " on " + h.Host + " takes nothing: " + v.Reason, mendService(v, h.Host)})
			}
			if v.Capacity != nil && v.Used > *v.Capacity {
				out = append(out, Finding{Warning, fmt.Sprintf("%s on %s is over-full: %d/%d", v.Type, h.Host, v.Used, *v.Capacity), "it drains as streams end; or move some: stream-api streams move"})
			}
		}
	}
	out = append(out, diagnoseVersions(status.Hosts)...)
	out = append(out, diagnoseLayouts(status.Hosts)...)
	for _, k := range status.Aside {
		out = append(out, Finding{Warning, fmt.Sprintf("%s was a %s and no %s; it was set aside, and what should be in it is made anew", k.Key, k.Was, k.Should),
			"look who wrote it, then: redis-cli DEL " + k.Aside})
	}
	for _, src := range status.Sources {
		if src.State != stream.SourceGood {
			out = append(out, Finding{Failure, "source " + src.Name + " is unknown: " + src.Error, "look at the ingest; its streams stay as they are meanwhile; if no host polls it any more: stream-api sources rm " + src.Name})
		}
	}
	for _, src := range status.Sources {
		if src.Over > 0 {
			out = append(out, Finding{Warning, fmt.Sprintf("source %s announces the %d streams it may: %d new ones are refused, such as %s", src.Name, src.Max, src.Over, src.OverExample),
				"find out who publishes so many; leave them out with match, or raise sources[].max_streams"})
		}
	}
	if len(out) == 0 {
		out = append(out, Finding{Fine, fmt.Sprintf("%d hosts, %d streams, %d sources, nothing to mend", len(status.Hosts), len(status.Streams), len(status.Sources)), ""})
	}
	return out
}

// mendService is what to do about a service that takes nothing.
func mendService(v stream.ServiceStatus, host string) string {
	switch v.Code {
	case stream.CodeBadUses, stream.CodeBadPools, stream.CodeNoPool:
		return "mend network.pools and services.*.uses in its file and reload it, or what a hand wrote: redis-cli HGET host:" + host + " pools; HGET service:" + v.Type + ":" + host + " uses"
	}
	return "stream-api services set " + v.Type + " " + host + " capacity=N"
}

// diagnoseLacks says once for all hosts that are alike what of their file does not hold.
func diagnoseLacks(hosts []stream.HostStatus) []Finding {
	by := map[string][]string{}
	for _, h := range hosts {
		if h.Lacks != "" {
			by[h.Lacks] = append(by[h.Lacks], h.Host)
		}
	}
	var out []Finding
	for _, lacks := range slices.Sorted(maps.Keys(by)) {
		var do []string
		for mark, advice := range map[string]string{
			"confine:": "run a newer kernel there, or write confine: none if that is meant",
			"limits.":  "limits need cgroup v2 and a unit with Delegate=yes; or take them out of the file",
		} {
			if strings.Contains(lacks, mark) {
				do = append(do, advice)
			}
		}
		slices.Sort(do)
		out = append(out, Finding{Warning, "not all that the file asks for holds on " + strings.Join(by[lacks], ", ") + ": " + lacks,
			strings.Join(do, "; ")})
	}
	return out
}
