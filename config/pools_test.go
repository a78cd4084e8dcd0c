package config

import (
	"strings"
	"testing"
)

func poolFile(pools, uses string) string {
	return "network: {name: a, pools: " + pools + "}\nservices:\n  enc: {plugin: static, uses: " + uses + "}\n"
}

func TestPoolsAreReadInThousandths(t *testing.T) {
	t.Parallel()
	c := loaded(t, poolFile("{cpu: 6.4, nvenc: {size: 4, jobs: 1}, tape: 0.001}", "{cpu: 1.5, nvenc: 1, tape: 0.001}"))
	if got, want := c.Network.PoolSizes().Encode(), `{"cpu":6400,"nvenc":4000,"tape":1}`; got != want {
		t.Errorf("pools: %s, want %s", got, want)
	}
	if got, want := c.Network.PoolJobs().Encode(), `{"nvenc":1000}`; got != want {
		t.Errorf("jobs: %s, want %s", got, want)
	}
	if got, want := c.Services["enc"].Uses.Encode(), `{"cpu":1500,"nvenc":1000,"tape":1}`; got != want {
		t.Errorf("uses: %s, want %s", got, want)
	}
}

func TestPoolsThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pools, uses, want string }{
		{"{cpu: 8}", "{nvenc: 1}", `there is no pool "nvenc" in network.pools`},
		{"{nvenc: 8}", "{nvec: 1}", `did you mean "nvenc"?`},
		{"{cpu: 1.5}", "{cpu: 1.501}", "a slot uses 1.501 of cpu, of which this host has 1.5: it would never be placed here"},
		{"{cpu: 0}", "{}", "is nothing: leave the pool out, or write more"},
		{"{cpu: 8}", "{cpu: 0}", "is nothing: leave the pool out, or write more"},
		{"{cpu: -1}", "{}", "is no amount: write a number from 0 to 1000000 with up to three digits after the point"},
		{"{cpu: 1.0005}", "{}", "is no amount"},
		{"{cpu: 1e3}", "{}", "is no amount"},
		{"{cpu: 1000000.001}", "{}", "is more than a million"},
		{`{cpu: "8"}`, "{}", "is text: write a number without quotes"},
		{"{cpu: [8]}", "{}", "a map of keys is expected"},
		{"{cpu: {jobs: 1}}", "{}", "size is missing"},
		{"{cpu: {size: 4, jobs: 5}}", "{}", "jobs may hold 5 of cpu, of which this host has 4"},
		{"{cpu: {size: 4, cores: 5}}", "{}", `unknown key "cores"`},
		{"{Cpu: 8}", "{}", "is no name of a pool"},
		{"8", "{}", "a map of names and values is expected"},
		{"{cpu: 8}", "cpu", "a map of names and values is expected"},
	} {
		_, err := loadText(t, poolFile(c.pools, c.uses))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("pools %s, uses %s: %v; want %q", c.pools, c.uses, err, c.want)
		}
	}
}

func TestAPoolThatNobodyUsesIsWarnedOf(t *testing.T) {
	t.Parallel()
	c := loaded(t, poolFile("{cpu: 8, nvenc: 4}", "{nvenc: 1}"))
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].String(), "no service uses cpu") {
		t.Errorf("warnings: %v", c.Warnings)
	}
}

// A device in the places of two services is warned of, unless they share a pool.
func TestADeviceOfTwoServicesIsCoveredByAPool(t *testing.T) {
	t.Parallel()
	text := func(uses string) string {
		return "network: {name: a, pools: {card: 2, cpu: 2}}\nservices:\n" +
			"  enc: {plugin: static, places: [{dev: /dev/dri/renderD128}], uses: {card: 1}}\n" +
			"  thumb: {plugin: static, places: [{dev: /dev/dri/renderD128}], uses: {" + uses + "}}\n"
	}
	for uses, warned := range map[string]bool{"card: 1": false, "cpu: 1": true, "": true} {
		found := false
		for _, w := range loaded(t, text(uses)).Warnings {
			found = found || strings.Contains(w.String(), "both would run on it at the same time")
		}
		if found != warned {
			t.Errorf("uses {%s}: warned %v, want %v", uses, found, warned)
		}
	}
}
