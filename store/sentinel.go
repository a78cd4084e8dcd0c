package store

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxDownAfter is how long Sentinels may take to notice a dead primary: then
// the store is back before a lease of the default length has ended twice.
const maxDownAfter = 5 * time.Second

// DiagnoseSentinels asks each Sentinel of t what it knows of the primary, as
// an operator should before an event. Without Sentinel it finds nothing.
func DiagnoseSentinels(ctx context.Context, t Target, timeout time.Duration) []Finding {
	if t.Master == "" {
		return nil
	}
	var out []Finding
	answered := 0
	var last map[string]string
	for _, addr := range t.Addrs {
		row, err := askSentinel(ctx, t, addr, timeout)
		if err != nil {
			out = append(out, Finding{Failure, fmt.Sprintf("Sentinel %s does not tell of %s: %v", addr, t.Master, err), "start it, or mend its SENTINEL MONITOR, or the address in network.redis"})
			continue
		}
		answered, last = answered+1, row
		out = append(out, diagnoseSentinel(addr, t.Master, row)...)
	}
	if last == nil {
		return out
	}
	known := 1 + atoi(last["num-other-sentinels"])
	if known < 3 {
		out = append(out, Finding{Warning, fmt.Sprintf("%d Sentinels watch %s: they cannot agree once one is lost", known, t.Master), "run three, on three machines"})
	}
	if quorum := atoi(last["quorum"]); quorum > answered {
		out = append(out, Finding{Warning, fmt.Sprintf("%d Sentinels answer from here, and %d must agree before a replica takes over", answered, quorum), "name all Sentinels in network.redis, and see that each host reaches them"})
	}
	if atoi(last["num-slaves"]) == 0 {
		out = append(out, Finding{Failure, "the Sentinels know no replica of " + t.Master + ": nothing can take over", "add a replica"})
	}
	return out
}

func askSentinel(ctx context.Context, t Target, addr string, timeout time.Duration) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client := redis.NewSentinelClient(&redis.Options{
		Addr: addr, Username: t.SentinelUsername, Password: t.SentinelPassword, TLSConfig: t.secure(), Protocol: 2,
		DialTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout, ContextTimeoutEnabled: true, MaxRetries: -1,
	})
	defer func() { _ = client.Close() }() // only asked
	return client.Master(ctx, t.Master).Result()
}

// diagnoseSentinel judges what one Sentinel says of the primary.
func diagnoseSentinel(addr, master string, row map[string]string) []Finding {
	down := time.Duration(atoi64(row["down-after-milliseconds"])) * time.Millisecond
	switch {
	case row["flags"] != "" && row["flags"] != "master":
		return []Finding{{Failure, fmt.Sprintf("Sentinel %s says of %s: %s", addr, master, row["flags"]), "look at the primary and its replicas"}}
	case down > maxDownAfter:
		return []Finding{{Warning, fmt.Sprintf("Sentinel %s waits %v before it takes %s for dead, and nothing new starts meanwhile", addr, down, master),
			fmt.Sprintf("SENTINEL SET %s down-after-milliseconds %d, on each", master, maxDownAfter.Milliseconds())}}
	}
	return []Finding{{Fine, fmt.Sprintf("Sentinel %s takes %s for dead after %v", addr, master, down), ""}}
}
