package store

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
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
	row, err := s.client.HGetAll(ctx, s.key("stream", v.Key, v.Slot)).Result()
	if err != nil {
		return false, fmt.Errorf("read slot %s/%s: %w", v.Key, v.Slot, err)
	}
	for host, until := range readSlot(v.Key, v.Slot, row).Avoid {
		if host != v.Host && until > now {
			return false, nil
		}
	}
	for _, class := range classes {
		found, err := s.roomBeside(ctx, v, class, now)
		if err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// roomBeside looks at the two least loaded hosts of a class: one of them is
// not the slot's own.
func (s *Store) roomBeside(ctx context.Context, v Reservation, class string, now int64) (bool, error) {
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
		deadline, err := s.client.ZScore(ctx, s.key("hosts", "lease"), host).Result()
		if err := present(err); err != nil {
			return false, fmt.Errorf("read the lease of %s: %w", host, err)
		}
		if int64(deadline) > now {
			return true, nil
		}
	}
	return false, nil
}

// fullLoad is the load score up to which there is room; see lua/place.lua.
const fullLoad = 1_000_000
