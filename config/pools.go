package config

import (
	"maps"
	"slices"

	"stream-api/stream"
)

// Pool is something that services of this host share. It is written as its size, or
// as a map with it.
type Pool struct {
	Size stream.Amount `yaml:"size" validate:"required"`
	// Jobs is how much of it jobs hold at most; 0: half of it.
	Jobs stream.Amount `yaml:"jobs"`
}

// writtenPool is Pool without its second spelling.
type writtenPool Pool

func (p *Pool) decode(d *decoder, n *node, path string, r rules) {
	if n.kind == scalarKind {
		*p = Pool{}
		d.decode(n, path, &p.Size, rules{})
		return
	}
	d.decode(n, path, (*writtenPool)(p), r)
}

// PoolSizes is what each pool has.
func (n Network) PoolSizes() stream.Amounts {
	out := stream.Amounts{}
	for name, p := range n.Pools {
		out[name] = p.Size
	}
	return out
}

// PoolJobs is what jobs may hold of the pools that say so.
func (n Network) PoolJobs() stream.Amounts {
	out := stream.Amounts{}
	for name, p := range n.Pools {
		if p.Jobs > 0 {
			out[name] = p.Jobs
		}
	}
	return out
}

// checkPools: what a service uses must be there, and more of it than one slot takes.
func (d *decoder) checkPools(c *Config) {
	used := map[string]bool{}
	for _, stype := range c.Services.Types() {
		uses, path := c.Services[stype].Uses, join(join("services", stype), "uses")
		for _, name := range uses.Names() {
			used[name] = true
			at := join(path, name)
			pool, known := c.Network.Pools[name]
			switch {
			case !known:
				d.problem(d.at(at), at, "there is no pool %q in network.pools%s", name, suggest(name, slices.Sorted(maps.Keys(c.Network.Pools))))
			case uses[name] > pool.Size:
				d.problem(d.valueAt(at), at, "a slot uses %s of %s, of which this host has %s: it would never be placed here", uses[name], name, pool.Size)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Network.Pools)) {
		at, pool := join("network.pools", name), c.Network.Pools[name]
		if pool.Jobs > pool.Size {
			d.problem(d.valueAt(at), at, "jobs may hold %s of %s, of which this host has %s", pool.Jobs, name, pool.Size)
		}
		if !used[name] {
			d.warn(d.at(at), at, "no service uses %s", name)
		}
	}
}

// covered tells whether two services share a pool, which then keeps them apart.
func covered(a, b *Service) bool {
	for name := range a.Uses {
		if _, both := b.Uses[name]; both {
			return true
		}
	}
	return false
}
