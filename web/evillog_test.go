package web

import (
	"context"
	"time"
)

func evilLog(text string) LogReader {
	return func(ctx context.Context, _ LogQuery, line func(LogLine) error) error {
		return line(LogLine{At: time.Unix(0, 0).UTC(), Mark: text, Text: text})
	}
}
