package store

import (
	"errors"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
)

// said is an error as a server sends it.
type said string

func (s said) Error() string { return string(s) }
func (said) RedisError()     {}

var _ redis.Error = said("")

// TestARefusalIsAboutOneKey: what the server says to everybody must not be taken
// for a stream whose keys are broken, for then the advice is to delete them.
func TestARefusalIsAboutOneKey(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"WRONGTYPE Operation against a key holding the wrong kind of value":                                                 true,
		"WRONGTYPE Operation against a key holding the wrong kind of value script: 5f, on @user_script:3.":                  true,
		"ERR Error running script (call to f_5f): @user_script:3: WRONGTYPE Operation against a key":                        true,
		"ERR user_script:12: attempt to concatenate a nil value script: 5f, on @user_script:12.":                            true,
		"ERR hash value is not an integer script: 5f, on @user_script:5.":                                                   true,
		"ERR max number of clients reached":                                                                                 false,
		"ERR unknown command 'EVALSHA'":                                                                                     false,
		"OOM command not allowed when used memory > 'maxmemory'. script: 5f, on @user_script:3.":                            false,
		"ERR Error running script (call to f_5f): @user_script:3: -OOM command not allowed when used memory > 'maxmemory'.": false,
		"ERR Error running script (call to f_5f): @user_script:3: -READONLY You can't write against a read only replica.":   false,
		"ERR ACL failure in script: User x has no permissions to run the 'rename' command script: 5f, on @user_script:9.":   false,
		"ERR The user executing the script can't run this command or subcommand script: 5f, on @user_script:9.":             false,
		"NOPERM this user has no permissions to run the 'evalsha' command":                                                  false,
		"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.":                  false,
		"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.":                            false,
		"LOADING Redis is loading the dataset in memory":                                                                    false,
	} {
		if got := isRefusal(fmt.Errorf("want: %w", said(text))); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	if isRefusal(errors.New("WRONGTYPE, says no server")) {
		t.Error("what no server said is taken for a refusal")
	}
}
