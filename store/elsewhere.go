package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// Elsewhere tells whether giving a slot up would help, as release would
// decide it: nothing is on hold, the slot did not fail on another host lately,
// and one that is neither its own nor avoided has room in one of classes. It
// changes nothing, and may be out of date at once.
func (s *Store) Elsewhere(ctx context.Context, v Reservation, classes []string) (bool, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return false, err
	}
	hold, err := s.hold(ctx, now)
	if err != nil || hold != nil {
		return false, err
	}
	row, err := s.client.HGetAll(ctx, s.key("stream", v.Key, v.Instance)).Result()
	if err != nil {
		return false, fmt.Errorf("read slot %s/%s: %w", v.Key, v.Instance, err)
	}
	pin, err := s.client.HGet(ctx, s.key("override", v.Key), "pin:"+stream.SlotOf(v.Instance)).Result()
	if err := present(err); err != nil {
		return false, fmt.Errorf("read the pin of %s/%s: %w", v.Key, v.Instance, err)
	}
	for host, until := range readInstance(v.Key, v.Instance, row).Avoid {
		if host != v.Host && until > now {
			return false, nil
		}
	}
	for _, class := range classes {
		found, err := s.roomBeside(ctx, v, class, pin, now)
		if err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// roomBeside looks at the two least loaded hosts of a class: one of them is
// not the slot's own. What is pinned has its pin alone.
func (s *Store) roomBeside(ctx context.Context, v Reservation, class, pin string, now int64) (bool, error) {
	if pin != "" {
		load, err := s.client.ZScore(ctx, s.key("load", v.Type, class), pin).Result()
		if errors.Is(err, redis.Nil) || err == nil && (load > fullLoad || pin == v.Host) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("read load of %s: %w", v.Type, err)
		}
		return s.leased(ctx, pin, now)
	}
	hosts, err := s.client.ZRangeArgs(ctx, redis.ZRangeArgs{
		Key: s.key("load", v.Type, class), ByScore: true, Start: "-inf", Stop: strconv.Itoa(fullLoad), Count: 2,
	}).Result()
	if err != nil {
		return false, fmt.Errorf("read load of %s: %w", v.Type, err)
	}
	for _, host := range hosts {
		if host == v.Host {
			continue
		}
		if alive, err := s.leased(ctx, host, now); err != nil || alive {
			return alive, err
		}
	}
	return false, nil
}

func (s *Store) leased(ctx context.Context, host string, now int64) (bool, error) {
	deadline, err := s.client.ZScore(ctx, s.key("hosts", "lease"), host).Result()
	if err := present(err); err != nil {
		return false, fmt.Errorf("read the lease of %s: %w", host, err)
	}
	return int64(deadline) > now, nil
}

// fullLoad is the load score up to which there is room; see lua/place.lua.
const fullLoad = 1_000_000
