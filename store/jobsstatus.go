package store

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// JobsStatus counts the jobs that are not done; nil: there is none, or a hand made their key
// another type, which upkeep mends and tells.
func (s *Store) JobsStatus(ctx context.Context) (*stream.JobsStatus, error) {
	var out *stream.JobsStatus
	err := s.openJobs(ctx, func(members []string) error {
		if len(members) == 0 {
			return nil
		}
		pipe := s.client.Pipeline()
		var rows []*redis.SliceCmd
		for _, m := range members {
			if key, instance, ok := stream.SplitMember(m); ok {
				rows = append(rows, pipe.HMGet(ctx, s.key("stream", key, instance), "state", "type", "born"))
			}
		}
		if _, err := pipe.Exec(ctx); err != nil && !isRefusal(err) {
			return fmt.Errorf("read jobs: %w", err)
		}
		if out == nil {
			out = &stream.JobsStatus{Types: map[string]stream.JobCounts{}}
		}
		for _, row := range rows {
			countJob(out, row.Val())
		}
		return nil
	})
	if IsWrongType(err) {
		return nil, nil
	}
	return out, err
}

func countJob(out *stream.JobsStatus, row []any) {
	if len(row) < 3 || row[0] == nil {
		return // done between the two reads, or a hand's
	}
	state, _ := row[0].(string)
	stype, _ := row[1].(string)
	born, _ := row[2].(string)
	out.Count(stream.State(state), atoi64(born))
	counts := out.Types[stype]
	counts.Count(stream.State(state), atoi64(born))
	out.Types[stype] = counts
}

// Status is the job as it is shown.
func (j Job) Status() stream.JobStatus {
	v := stream.JobStatus{
		Stream: j.Key, Job: j.Instance, Name: j.Job.Name, Type: j.Type, State: j.State, Host: j.Host, Token: j.Token,
		Of: j.Job.After, OfHost: j.OfHost, OfToken: j.Job.Token, Item: j.Item, BoundTo: j.Only, Born: j.Job.Born, Since: j.Since, Tries: j.Job.Tries,
		Told: j.Reason.Told(), Exit: j.Exit, Stderr: j.Stderr, Values: map[string]string{},
	}
	if j.State == stream.JobFailed {
		v.Host = j.On
	}
	for scope, values := range map[string]map[string]string{"of:": j.Job.Of, "stream:": j.Job.Stream, "source:": j.Job.Source} {
		for name, value := range values {
			v.Values[scope+name] = stream.ShownVar(name, value)
		}
	}
	stream.Show(&v)
	return v
}

// Status is the result as it is shown.
func (r JobResult) Status() stream.JobStatus {
	v := stream.JobStatus{
		Stream: r.Key, Job: r.Instance, Name: stream.SlotOf(r.Instance), Type: r.Type, State: stream.JobDone, Host: r.Host, Of: r.After, OfHost: r.OfHost,
		Item: r.Item, Since: r.At, Code: r.Code, Began: r.Began, Ended: r.Ended,
	}
	stream.Show(&v)
	return v
}
