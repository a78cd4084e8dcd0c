package realtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// sentinelMaster is the name under which the Sentinels watch the primary.
const sentinelMaster = "store"

// SentinelGroup is a primary, two replicas and three Sentinels of one test,
// all real, on free ports of 127.0.0.1.
type SentinelGroup struct {
	t         testing.TB
	servers   map[int]*RedisServer // by port
	sentinels []string             // host:port
	client    *redis.Client
}

// Sentinels starts a group that takes a primary for dead after downAfter. It
// ends with the test. Args are of each redis-server.
func Sentinels(t testing.TB, downAfter time.Duration, args ...string) *SentinelGroup {
	t.Helper()
	g := &SentinelGroup{t: t, servers: map[int]*RedisServer{}}
	primary := FreePort(t)
	g.serve(primary, 0, args)
	for range 2 {
		g.serve(FreePort(t), primary, args)
	}
	for range 3 {
		g.watch(primary, downAfter)
	}
	g.awaitWhole()
	return g
}

func (g *SentinelGroup) serve(port, primary int, args []string) {
	g.t.Helper()
	args = append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0"}, args...)
	if primary != 0 {
		args = append(args, "--replicaof", "127.0.0.1 "+strconv.Itoa(primary))
	}
	g.servers[port] = Redis(g.t, args...)
}

func (g *SentinelGroup) watch(primary int, downAfter time.Duration) {
	g.t.Helper()
	dir, port := directory(g.t, "sentinel"), FreePort(g.t)
	conf := fmt.Sprintf(`port %d
bind 127.0.0.1
dir %s
logfile %[2]s/log
sentinel monitor %[3]s 127.0.0.1 %[4]d 2
sentinel down-after-milliseconds %[3]s %[5]d
sentinel failover-timeout %[3]s 6000
sentinel parallel-syncs %[3]s 2
`, port, dir, sentinelMaster, primary, downAfter.Milliseconds())
	path := filepath.Join(dir, "sentinel.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		g.t.Fatalf("configuration of redis-sentinel: %v", err)
	}
	run, err := start(exec.Command(find(g.t, "redis-sentinel", "redis-sentinel"), path))
	if err != nil {
		g.t.Fatalf("start redis-sentinel: %v", err)
	}
	g.t.Cleanup(func() {
		if err := run.end(syscall.SIGKILL); err != nil {
			g.t.Errorf("end redis-sentinel: %v", err)
		}
	})
	g.sentinels = append(g.sentinels, fmt.Sprintf("127.0.0.1:%d", port))
}

// awaitWhole waits until every Sentinel knows all the others and every
// replica: only then would they agree on a failover.
func (g *SentinelGroup) awaitWhole() {
	g.t.Helper()
	for _, addr := range g.sentinels {
		c := redis.NewSentinelClient(&redis.Options{Addr: addr, DialTimeout: time.Second, ReadTimeout: time.Second})
		Await(g.t, startLimit, "redis-sentinel at "+addr+" does not know its group", func() bool {
			m, err := c.Master(g.t.Context(), sentinelMaster).Result()
			return err == nil && m["num-other-sentinels"] == "2" && m["num-slaves"] == "2" && m["flags"] == "master"
		})
		replicas, err := c.Replicas(g.t.Context(), sentinelMaster).Result()
		if err != nil || len(replicas) != 2 {
			g.t.Fatalf("replicas by redis-sentinel at %s: %v, %v", addr, replicas, err)
		}
		if err := c.Close(); err != nil {
			g.t.Errorf("close the client of redis-sentinel: %v", err)
		}
	}
	Await(g.t, startLimit, "the replicas are not in step", func() bool {
		info, err := g.Primary().Client().Info(g.t.Context(), "replication").Result()
		return err == nil && strings.Count(info, "state=online") == 2
	})
}

// URL is the group's address in the form the configuration takes.
func (g *SentinelGroup) URL() string {
	return fmt.Sprintf("redis+sentinel://%s@%s/0", sentinelMaster, strings.Join(g.sentinels, ","))
}

// Client is a client of whoever is primary, the same at each call, closed
// with the test. Its limits are as short as those of RedisServer.Options.
func (g *SentinelGroup) Client() *redis.Client {
	g.t.Helper()
	if g.client == nil {
		g.client = redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: sentinelMaster, SentinelAddrs: g.sentinels,
			DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second, ContextTimeoutEnabled: true,
			MaxRetries: -1,
		})
		g.t.Cleanup(func() {
			if err := g.client.Close(); err != nil {
				g.t.Errorf("close the client behind the Sentinels: %v", err)
			}
		})
	}
	return g.client
}

// Primary is the server that the first Sentinel holds for the primary.
func (g *SentinelGroup) Primary() *RedisServer {
	g.t.Helper()
	c := redis.NewSentinelClient(&redis.Options{Addr: g.sentinels[0], DialTimeout: time.Second, ReadTimeout: time.Second})
	defer func() { _ = c.Close() }() // it only asked
	addr, err := c.GetMasterAddrByName(context.WithoutCancel(g.t.Context()), sentinelMaster).Result()
	if err != nil || len(addr) != 2 {
		g.t.Fatalf("ask redis-sentinel for the primary: %v, %v", addr, err)
	}
	port, err := strconv.Atoi(addr[1])
	if err != nil || g.servers[port] == nil {
		g.t.Fatalf("redis-sentinel names a primary at %v, which is none of this group", addr)
	}
	return g.servers[port]
}
