package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/internal/realtest"
	"stream-api/store"
)

func TestAStoreThatIsBackIsReachedAtTheFirstCall(t *testing.T) {
	t.Parallel()
	server := realtest.Redis(t)
	client := store.Dial(store.Target{Network: "unix", Addrs: []string{server.Addr}}, time.Second).(*redis.Client)
	t.Cleanup(func() { _ = client.Close() })
	server.Kill()
	// More failures than the pool has places.
	for range client.Options().PoolSize + 10 {
		err := client.Ping(t.Context()).Err()
		if err == nil || !strings.Contains(err.Error(), "dial unix "+server.Addr) {
			t.Fatalf("a dead store answers %v; want why it is not reached", err)
		}
	}
	server.Start()
	for range 10 {
		if err := client.Ping(t.Context()).Err(); err != nil {
			t.Fatalf("a store that is back answers %v", err)
		}
	}
}
