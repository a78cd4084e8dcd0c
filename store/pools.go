package store

import (
	"context"
	"fmt"

	"stream-api/stream"
)

// pooled fills in what the host's pools have and what is taken of them, by what its
// record and those of its services say, and why those that use them take nothing. It
// judges as the scripts do, but for rows that are lost. pools is the field as written.
func (h *HostRecord) pooled(pools string) {
	sizes, badPools := stream.DecodeAmounts(pools)
	h.Pools, h.Taken = sizes, stream.Amounts{}
	var unknown stream.Reason // what some service uses
	for i := range h.Services {
		v := &h.Services[i]
		if _, err := stream.DecodeAmounts(v.uses); err != nil && unknown.IsZero() {
			unknown = stream.Because(stream.CodeBadUses, "type", v.Type, "uses", stream.Quote(v.uses))
		}
		for name, amount := range v.Uses {
			h.Taken[name] += amount * stream.Amount(v.Used+v.Sidecars)
		}
	}
	for i := range h.Services {
		v := &h.Services[i]
		switch v.Reason.Code {
		case stream.CodeBadUses, stream.CodeBadPools, stream.CodeNoPool:
			v.Reason = stream.Reason{} // as it was at the last reindex
		}
		switch {
		case v.uses == "" || !v.Reason.IsZero():
		case badPools != nil:
			v.Reason = stream.Because(stream.CodeBadPools, "pools", stream.Quote(pools))
		case !unknown.IsZero():
			v.Reason = unknown
		default:
			v.Reason = noPool(v.Uses, sizes)
		}
	}
}

// noPool is why a slot never fits into the pools.
func noPool(uses, sizes stream.Amounts) stream.Reason {
	for _, name := range uses.Names() {
		if size := sizes[name]; size == 0 || uses[name] > size {
			return stream.Because(stream.CodeNoPool, "needs", uses[name].String(), "pool", name, "size", size.String())
		}
	}
	return stream.Reason{}
}

// Allows is for how many slots more of a service the pools of its host have room, and the
// pool that has room for the fewest; -1 if it uses none.
func (h HostRecord) Allows(v ServiceRecord) (slots int, pool string) {
	slots = -1
	for _, name := range v.Uses.Names() {
		if v.Uses[name] == 0 {
			continue
		}
		if n := int(max(0, h.Pools[name]-h.Taken[name]) / v.Uses[name]); slots < 0 || n < slots {
			slots, pool = n, name
		}
	}
	return slots, pool
}

// PoolsAllow says what of a capacity the pools of a host have no room for; empty: they
// have, or it uses none.
func (s *Store) PoolsAllow(ctx context.Context, t, host string, capacity *int) (string, error) {
	hosts, err := s.HostsNamed(ctx, []string{host})
	if err != nil {
		return "", err
	}
	for _, v := range hosts[0].Services {
		n, pool := hosts[0].Allows(v)
		if v.Type != t || n < 0 || capacity != nil && *capacity <= v.Used+n {
			continue
		}
		return fmt.Sprintf("its pools have room for %d more: %s %s/%s, and one uses %s", n, pool, hosts[0].Taken[pool], hosts[0].Pools[pool], v.Uses[pool]), nil
	}
	return "", nil
}
