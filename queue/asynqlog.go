package queue

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// quietFor is how long a message of one kind is held back after it was said.
const quietFor = 30 * time.Second

// asynqLog is asynq's logger. asynq reports each failing call of each of its
// loops; here each kind of message is said once in quietFor, with the number
// of those held back. While patientRedis has said that Redis is away, what
// follows from it is written at level debug.
type asynqLog struct {
	log  zerolog.Logger
	away func() bool

	mu    sync.Mutex
	kinds map[string]*kindOfMessage
}

type kindOfMessage struct {
	said time.Time
	held int
}

// Debug drops the message: asynq writes one at each look at an empty queue.
func (*asynqLog) Debug(...any) {}

// Info drops the message: it is about asynq's own start and end.
func (*asynqLog) Info(...any) {}

// Warn says the message at level warn, unless it is about a task that failed
// or was told off, which is the handler's to say.
func (l *asynqLog) Warn(args ...any) {
	l.say(zerolog.WarnLevel, fmt.Sprint(args...), "Retry exhausted", "revoke task")
}

// Error says the message at level error, unless it is about a failed dequeue.
func (l *asynqLog) Error(args ...any) {
	l.say(zerolog.ErrorLevel, fmt.Sprint(args...), "Dequeue error")
}

// Fatal says the message at level error; a library does not end the process.
func (l *asynqLog) Fatal(args ...any) { l.say(zerolog.ErrorLevel, fmt.Sprint(args...)) }

func (l *asynqLog) say(level zerolog.Level, message string, known ...string) {
	said := l.away()
	for _, prefix := range known {
		said = said || strings.HasPrefix(message, prefix)
	}
	if said {
		l.log.Debug().Msg("asynq: " + message)
		return
	}
	held, ok := l.admit(kindOf(message))
	if !ok {
		return
	}
	event := l.log.WithLevel(level)
	if held > 0 {
		event = event.Int("held_back", held)
	}
	event.Msg("asynq: " + message)
}

// admit tells whether a message of this kind is said now, and how many were
// held back since the last one.
func (l *asynqLog) admit(kind string) (held int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kinds == nil {
		l.kinds = make(map[string]*kindOfMessage)
	}
	k := l.kinds[kind]
	if k == nil {
		k = &kindOfMessage{}
		l.kinds[kind] = k
	}
	now := time.Now()
	if !k.said.IsZero() && now.Sub(k.said) < quietFor {
		k.held++
		return 0, false
	}
	held, k.said, k.held = k.held, now, 0
	return held, true
}

// kindOf is the fixed text at the beginning of asynq's formats: all up to the
// first thing that names a task, a queue or an error. Their number is small.
func kindOf(message string) string {
	if i := strings.IndexAny(message, `="[:`); i >= 0 {
		message = message[:i]
	}
	return message[:min(len(message), 80)]
}
