package store

import (
	"errors"
	"regexp"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Refusal is an answer of Redis that says nothing of any key: it does not do
// what it is asked, for this client or for all.
type Refusal struct {
	// Word names it, in small letters, for metrics: the first word of the
	// answer where that is a code, else one of ours.
	Word string
	// Answer is what Redis wrote, on one line, with the command it speaks of.
	Answer string
	// Do says what helps.
	Do string
	// Everybody: whoever asks the same now is answered the same. Else the answer
	// is for this user, this address or this connection.
	Everybody bool
}

// String is the answer and what to do about it.
func (r Refusal) String() string { return r.Answer + "; " + r.Do }

// refusals is what Redis answers to whom it refuses, by the first words of the
// answer, and what to do about it. The texts are those of Redis 6.2 to 8.
var refusals = []struct {
	begins, word, do string
	everybody        bool
}{
	{"NOPERM ", "noperm", "allow it to this user; deploy/redis/users.acl has all that is needed", false},
	{"NOAUTH ", "noauth", "Redis wants a password: put it into the address, redis://:PASSWORD@host or redis://USER:PASSWORD@host", false},
	{"WRONGPASS ", "wrongpass", "mend user or password in the address, or enable the user", false},
	{"ERR AUTH ", "wrongpass", "this Redis has no password: take it out of the address", false},
	{"OOM ", "oom", "Redis is full: raise maxmemory, or find what else fills it; stream-api itself needs some 2 kB a slot. What runs goes on and heartbeats pass", true},
	{"MISCONF ", "misconf", "Redis cannot write to its disk and takes no writes until it can: look at its log and at the free space of its dir", true},
	{"READONLY ", "readonly", "this is a replica: give the primary's address, or redis+sentinel://…", true},
	{"NOREPLICAS ", "noreplicas", "fewer replicas are in touch than min-replicas-to-write asks for: bring them back, or lower it", true},
	{"MASTERDOWN ", "masterdown", "this is a replica that has lost its primary: bring that back, or give the new primary's address", true},
	{"LOADING ", "loading", "Redis reads its data back: wait", true},
	{"BUSY ", "busy", "a script of somebody keeps Redis busy: redis-cli SCRIPT KILL ends it", true},
	{"CLUSTERDOWN ", "cluster", "this is a Redis Cluster: use one primary, with replicas and Sentinel if wanted", true},
	{"MOVED ", "cluster", "this is a Redis Cluster: use one primary, with replicas and Sentinel if wanted", true},
	{"CROSSSLOT ", "cluster", "this is a Redis Cluster: use one primary, with replicas and Sentinel if wanted", true},
	{"DENIED ", "denied", "Redis is in protected mode and takes no other machine: give it a password and bind, or protected-mode no on a closed network", false},
	{"ERR max number of clients", "maxclients", "raise maxclients, or find who holds the connections: redis-cli CLIENT LIST", true},
	{"ERR DB index is out of range", "db", "this Redis has no database of that number: mend the end of the address, /0 is there always", false},
	{"ERR invalid DB index", "db", "this Redis has no database of that number: mend the end of the address, /0 is there always", false},
	{"ERR SELECT is not allowed in cluster mode", "cluster", "this is a Redis Cluster: use one primary, with replicas and Sentinel if wanted", true},
	{"ERR unknown command", "unknown-command", "allow it again (rename-command), and give stream-api a user of its own instead; deploy/redis/users.acl has all that is needed", true},
}

// deniedInScript is how Redis before 7.2 says NOPERM of a command of a script,
// whose name include/call.lua adds.
const deniedInScript = "The user executing the script can't "

// inScript6 is what Redis 6 puts before the answer to a command of a script.
var inScript6 = regexp.MustCompile(`^ERR Error running script \(call to \w+\): @\S+ ?\d+: (?:@user_script: ?\d+: )?-?`)

// RefusalOf tells whether err is a refusal of Redis, and which.
func RefusalOf(err error) (Refusal, bool) {
	text, ok := redisAnswer(err)
	if !ok {
		return Refusal{}, false
	}
	core := strings.TrimPrefix(inScript6.ReplaceAllString(text, ""), "EXECABORT Transaction discarded because of: ")
	if rest := strings.TrimPrefix(core, "ERR "); strings.HasPrefix(rest, deniedInScript) || strings.HasPrefix(rest, "ACL failure in script") {
		core = "NOPERM " + rest
	}
	for _, v := range refusals {
		if strings.HasPrefix(core+" ", v.begins) {
			return Refusal{Word: v.word, Answer: oneLine(core), Do: v.do, Everybody: v.everybody}, true
		}
	}
	return Refusal{}, false
}

// Explain is the text of err; of a refusal with what to do about it.
func Explain(err error) string {
	r, ok := RefusalOf(err)
	if !ok {
		return err.Error()
	}
	text, _ := redisAnswer(err)
	return strings.Replace(err.Error(), text, r.Answer, 1) + "; " + r.Do
}

// redisAnswer is the text of an error that Redis itself answered with.
func redisAnswer(err error) (string, bool) {
	var reply redis.Error
	if !errors.As(err, &reply) || errors.Is(err, redis.Nil) {
		return "", false
	}
	return reply.Error(), true
}

// whereInScript is what Redis adds to the answer to a command of a script.
var whereInScript = regexp.MustCompile(` script: \w+, on @user_script:(\d+)\.?$`)

func oneLine(text string) string {
	return strings.Join(strings.Fields(whereInScript.ReplaceAllString(text, "")), " ")
}

// isRefusal tells a reply about one key, which stays wrong until somebody mends
// the key, from a server that refuses anybody, or us: a script that stopped at
// such a key.
func isRefusal(err error) bool {
	text, ok := redisAnswer(err)
	if !ok {
		return false
	}
	if _, refused := RefusalOf(err); refused {
		return false
	}
	return strings.Contains(text, "WRONGTYPE") || strings.HasPrefix(text, "ERR ") && strings.Contains(text, "user_script")
}
