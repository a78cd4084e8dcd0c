package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// reindexBatch is how many hosts one round trip re-indexes: some 2 ms of the
// server's time.
const reindexBatch = 50

// Reindex makes what is derived of one host agree with what it is derived
// from, so that edits by hand take effect and mistakes mend. paused names the
// types whose queue an operator paused; nil leaves that as it is. It returns how many things it mended.
func (s *Store) Reindex(ctx context.Context, host string, paused map[string]bool) (int, error) {
	hosts, err := s.HostsNamed(ctx, []string{host})
	if err != nil {
		return 0, fmt.Errorf("reindex %s: %w", host, err)
	}
	r, err := s.ReindexHosts(ctx, hosts, map[string]map[string]bool{host: paused}, nil)
	return r.Mended, cmp.Or(err, r.Refused[host])
}

// ReindexHosts is Reindex of hosts as they were just read, in few round trips;
// paused is host → type → whether its queue is paused, held what all records say
// is held (Mended.Held), found after the hosts were read: what they were given since may
// not be in it. Without it, nil, no figure is lowered.
func (s *Store) ReindexHosts(ctx context.Context, hosts []HostRecord, paused map[string]map[string]bool, held Held) (Reindexed, error) {
	out := Reindexed{Refused: map[string]error{}}
	for part := range slices.Chunk(hosts, reindexBatch) {
		calls := make([][]any, len(part))
		for i, h := range part {
			calls[i] = h.reindexArgs(paused[h.Host], held)
		}
		replies, errs, err := s.callMany(ctx, "reindex", calls)
		if err != nil {
			return out, err
		}
		for i, r := range replies {
			switch {
			case errs[i] != nil:
				out.Refused[part[i].Host] = fmt.Errorf("reindex %s: %w", part[i].Host, errs[i])
			case r.status() != "ok":
				return out, r.unexpected("reindex")
			default:
				out.Mended += int(r.num(1))
				out.Short += int(r.num(2))
			}
		}
	}
	return out, nil
}

// Reindexed is what a re-index did.
type Reindexed struct {
	Mended int
	// Short counts services whose used is more than slots:<host> has rows: rows
	// may be lost. Look at all records (Mender.All), and re-index with what they say.
	Short int
	// Refused are hosts whose keys a hand broke; they keep none of the others from it.
	Refused map[string]error
}

func (h HostRecord) reindexArgs(paused map[string]bool, held Held) []any {
	args := []any{h.Host, h.rev, len(h.Services)}
	for _, v := range h.Services {
		args = append(args, v.Type, bit(paused == nil && v.Paused || paused[v.Type]), held.of(v.Type, h.Host))
	}
	return args
}

// present turns redis.Nil, which says that there is nothing, into no error.
func present(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// text reads one field of HMGET; an absent one is empty.
func text(v any) string {
	s, _ := v.(string)
	return s
}

// field reads the i-th answer of an HMGET; absent, or of a key that a hand made
// another type of, it is empty.
func field(cmd *redis.SliceCmd, i int) string {
	if values := cmd.Val(); i < len(values) {
		return text(values[i])
	}
	return ""
}

// pipelined is the error of a pipeline of reads as a whole: what is absent or
// was edited into another type reads as empty and harms none of the others.
func pipelined(cmds []redis.Cmder, err error) error {
	if err == nil {
		return nil
	}
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) && !isRefusal(err) {
			return err
		}
	}
	return nil
}
