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

// JobFields are what the record of a job says besides what every instance has.
type JobFields struct {
	Name  string // of the job in its chain
	After string // the instance or job that it comes after
	Token string // of that
	Tries int    // how often it began, over all of its terms
	// Of, Stream and Source are ${of:<name>}, ${stream:<name>} and ${source:<name>}, as they
	// were when that ended. Of has host, reason (a code), began and ended (seconds since the
	// epoch) and, of a job for an item, item.
	Of, Stream, Source map[string]string
	Vars               map[string]string // of its item: ${slot:<name>}, as they are written
	Host               stream.Selector   // which hosts may run it, unless it is bound to one (Only); zero: all
	Born               int64             // server ms
}

func readJob(row map[string]string) *JobFields {
	j := &JobFields{
		Name: row["job"], After: row["of"], Token: row["oftoken"], Tries: atoi(row["tries"]), Born: atoi64(row["born"]),
		Of: readVars(row, "of:"), Stream: readVars(row, "stream:"), Source: readVars(row, "source:"), Vars: map[string]string{},
	}
	var vars map[string]string
	if json.Unmarshal([]byte(row["vars"]), &vars) == nil { // what a hand broke is none
		j.Vars = vars
	}
	if json.Unmarshal([]byte(row["labels"]), &j.Host) != nil {
		j.Host = stream.Selector{}
	}
	return j
}

// Fields are what the holder of a job keeps of its record, to restore it in a store that
// forgot: the form Copy.Fields has. only is the host that it is bound to, empty: none.
func (j JobFields) Fields(only string) map[string]string {
	out := map[string]string{"job": j.Name, "of": j.After, "oftoken": j.Token, "tries": strconv.Itoa(j.Tries), "born": strconv.FormatInt(j.Born, 10)}
	for scope, values := range map[string]map[string]string{"of:": j.Of, "stream:": j.Stream, "source:": j.Source} {
		for name, value := range values {
			out[scope+name] = value
		}
	}
	if only != "" {
		out["only"] = only
	}
	if text, err := json.Marshal(j.Vars); err == nil && len(j.Vars) > 0 {
		out["vars"] = string(text)
	}
	if text, err := json.Marshal(j.Host); err == nil && !j.Host.IsZero() {
		out["labels"] = string(text)
	}
	return out
}

// Job is one that waits, runs, ends or failed.
type Job struct {
	InstanceRecord
	OfHost string // the host of what it comes after
	Item   string // it is for; empty: for an end
	On     string // of one that failed, where it did so
}

// jobChunk is how many jobs one round trip reads.
const jobChunk = 500

// Jobs reads all jobs that are not done, the oldest first.
func (s *Store) Jobs(ctx context.Context) ([]Job, error) {
	var out []Job
	err := s.openJobs(ctx, func(members []string) error {
		part, err := s.jobsOf(ctx, members)
		out = append(out, part...)
		return err
	})
	return out, err
}

// openJobs walks over the names of all jobs that are not done, the oldest first, some at a time.
func (s *Store) openJobs(ctx context.Context, some func(members []string) error) error {
	for from := int64(0); ; from += jobChunk {
		members, err := s.client.ZRange(ctx, s.key("jobs"), from, from+jobChunk-1).Result()
		if err != nil {
			return fmt.Errorf("read jobs: %w", err)
		}
		if err := some(members); err != nil || len(members) < jobChunk {
			return err
		}
	}
}

func (s *Store) jobsOf(ctx context.Context, members []string) ([]Job, error) {
	var names [][2]string
	for _, m := range members {
		if key, instance, ok := stream.SplitMember(m); ok {
			names = append(names, [2]string{key, instance})
		}
	}
	rows, err := s.hashes(ctx, func(yield func(string)) {
		for _, n := range names {
			yield(s.key("stream", n[0], n[1]))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	var out []Job
	for i, row := range rows {
		if len(row) == 0 {
			continue // done between the two reads
		}
		j := Job{InstanceRecord: readInstance(names[i][0], names[i][1], row), On: row["on"]}
		if j.Job == nil {
			j.Job = readJob(row) // a hand took its name
		}
		j.OfHost, j.Item = j.Job.Of["host"], j.Job.Of["item"]
		out = append(out, j)
	}
	return out, nil
}

// ReadJob is one job. Error: ErrNotFound.
func (s *Store) ReadJob(ctx context.Context, key, instance string) (Job, error) {
	list, err := s.jobsOf(ctx, []string{stream.Member(key, instance)})
	if err != nil {
		return Job{}, err
	}
	if len(list) == 0 {
		return Job{}, noJob(key, instance)
	}
	return list[0], nil
}

// JobsBoundTo are the jobs that wait for the files of a host, or run there for their sake.
func (s *Store) JobsBoundTo(ctx context.Context, host string) ([]Job, error) {
	all, err := s.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(j Job) bool { return j.Only != host || j.State == stream.JobFailed }), nil
}

// JobResult is a job that is done.
type JobResult struct {
	Key, Instance string
	Type, Host    string
	Code          int
	Began, Ended  int64  // ms, of the child that did it
	After         string // the instance it came after
	OfHost, Item  string
	At            int64 // server ms at which it was written down
}

// DoneJobs are up to n results, the latest first.
func (s *Store) DoneJobs(ctx context.Context, n int) ([]JobResult, error) {
	members, err := s.client.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{Key: s.key("jobs:done"), Start: 0, Stop: n - 1, Rev: true}).Result()
	if err != nil {
		return nil, fmt.Errorf("read results of jobs: %w", err)
	}
	var out []JobResult
	for _, m := range members {
		member, _ := m.Member.(string)
		if key, instance, ok := stream.SplitMember(member); ok {
			out = append(out, JobResult{Key: key, Instance: instance, At: int64(m.Score)})
		}
	}
	rows, err := s.hashes(ctx, func(yield func(string)) {
		for _, r := range out {
			yield(s.key("job", r.Key, r.Instance))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read results of jobs: %w", err)
	}
	for i, row := range rows {
		out[i].read(row)
	}
	return out, nil
}

// DoneJob is the result of one job, without At. Error: ErrNotFound.
func (s *Store) DoneJob(ctx context.Context, key, instance string) (JobResult, error) {
	row, err := s.client.HGetAll(ctx, s.key("job", key, instance)).Result()
	if err != nil {
		return JobResult{}, fmt.Errorf("read the result of a job: %w", err)
	}
	if len(row) == 0 {
		return JobResult{}, noJob(key, instance)
	}
	r := JobResult{Key: key, Instance: instance}
	r.read(row)
	return r, nil
}

func (r *JobResult) read(row map[string]string) {
	r.Type, r.Host, r.Code, r.Began, r.Ended = row["type"], row["host"], atoi(row["code"]), atoi64(row["began"]), atoi64(row["ended"])
	r.After, r.OfHost, r.Item = row["of"], row["ofhost"], row["item"]
}

func noJob(key, instance string) error {
	return fmt.Errorf("job %s of stream %s: %w", stream.Quote(instance), stream.Quote(key), ErrNotFound)
}
