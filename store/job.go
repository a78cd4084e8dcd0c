package store

import (
	"context"
	"fmt"

	"stream-api/stream"
)

// JobError says why a job cannot be what an operator asks for.
type JobError struct {
	Key, Instance string
	State         stream.State
	Asked         string // retry, fail
}

func (e *JobError) Error() string {
	if e.Asked == "retry" {
		return fmt.Sprintf("job %s/%s is %s: only one that failed is tried again", e.Key, e.Instance, e.State)
	}
	return fmt.Sprintf("job %s/%s is %s: only one that waits is given up", e.Key, e.Instance, e.State)
}

// RetryJob puts a job that failed in line again, with all its tries. Errors: ErrNotFound,
// *JobError.
func (s *Store) RetryJob(ctx context.Context, key, instance string) error {
	_, err := s.job(ctx, key, instance, "retry", stream.Because(stream.CodeAsked))
	return err
}

// FailJob has a job that waits count as failed. Errors: ErrNotFound, *JobError.
func (s *Store) FailJob(ctx context.Context, key, instance string, why stream.Reason) error {
	_, err := s.job(ctx, key, instance, "fail", why)
	return err
}

// RemoveJob forgets a job; one that runs is stopped first: stop is what its host is to be told,
// as a hint, zero for nothing. It is not made again. Error: ErrNotFound.
func (s *Store) RemoveJob(ctx context.Context, key, instance string, why stream.Reason) (stop Reservation, err error) {
	return s.job(ctx, key, instance, "remove", why)
}

func (s *Store) job(ctx context.Context, key, instance, word string, why stream.Reason) (Reservation, error) {
	r, err := s.call(ctx, "job", key, instance, word, why.Wire())
	if err != nil {
		return Reservation{}, err
	}
	switch r.status() {
	case "ok":
		if r.str(3) == "" {
			return Reservation{}, nil
		}
		return Reservation{Key: key, Instance: instance, Type: r.str(1), Host: r.str(2), Token: r.str(3)}, nil
	case "absent":
		return Reservation{}, noJob(key, instance)
	case "not":
		return Reservation{}, &JobError{Key: key, Instance: instance, State: stream.State(r.str(1)), Asked: word}
	}
	return Reservation{}, r.unexpected("job")
}
