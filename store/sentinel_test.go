package store_test

import (
	"strings"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/store"
)

// Sentinels keep users of their own: one of the servers' is unknown to them.
func TestSentinelsAreToldTheirOwnWords(t *testing.T) {
	t.Parallel()
	group := realtest.Sentinels(t, 2*time.Second)
	if err := group.Primary().Client().ACLSetUser(t.Context(), "app", "on", ">secret", "~*", "&*", "+@all").Err(); err != nil {
		t.Fatal(err)
	}
	master, addrs, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(group.URL(), "redis+sentinel://"), "/0"), "@")
	target := store.Target{Network: "tcp", Master: master, Addrs: strings.Split(addrs, ","), Username: "app", Password: "secret"}
	client := store.Dial(target, 5*time.Second)
	defer func() { _ = client.Close() }() // nothing is lost with it
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("user of the servers alone: %v", err)
	}
	target.SentinelUsername, target.SentinelPassword = "app", "secret"
	wrong := store.Dial(target, 5*time.Second)
	defer func() { _ = wrong.Close() }() // nothing is lost with it
	if err := wrong.Ping(t.Context()).Err(); err == nil {
		t.Error("the Sentinels took a user that they do not know: this test shows nothing")
	}
}
