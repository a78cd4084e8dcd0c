package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"stream-api/config"
)

// newLogger writes lines for people on a terminal and in the journal, and JSON
// elsewhere.
func newLogger(o config.Log, w *os.File) (zerolog.Logger, error) {
	level, err := zerolog.ParseLevel(o.Level)
	if err != nil {
		return zerolog.Logger{}, usageError("log.level: %v", err)
	}
	var out io.Writer = w
	if underJournal(w) {
		out = journal{to: w, console: o.Format != "json"}
	} else if o.Format == "console" || o.Format == "auto" && onTerminal(w) {
		out = zerolog.ConsoleWriter{Out: w, TimeFormat: "15:04:05.000", NoColor: !onTerminal(w)}
	}
	zerolog.TimeFieldFormat = time.RFC3339Nano
	return zerolog.New(out).Level(level).With().Timestamp().Logger(), nil
}

// quietRedis takes the client library's own lines, one per failed dial, to
// the debug level: what they say is logged once, where it matters.
type quietRedis struct{ log zerolog.Logger }

func (q quietRedis) Printf(_ context.Context, format string, v ...any) {
	q.log.Debug().Str("of", "redis").Msg(fmt.Sprintf(format, v...))
}

func quietRedisLogger(log zerolog.Logger) { redis.SetLogger(quietRedis{log}) }
