package sources

import (
	"context"
	"time"

	"stream-api/stream"
)

// Probed is what one look at a source found.
type Probed struct {
	Keys    []string // that would be announced, in the ingest's order
	Refused int
	Example string // of a refusal
	Warning string // something to mend that did not stop the look
	Took    time.Duration
}

// Probe looks at a source once, as its poller would, and announces nothing.
// The error says why nothing is known.
func Probe(ctx context.Context, cfg Config) (Probed, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return Probed{}, err
	}
	from := cfg.lister()
	defer from.close()
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.Timeout, errTimeout)
	defer cancel()
	begun := time.Now()
	l, err := from.list(ctx)
	if err != nil {
		return Probed{}, err
	}
	verdicts := make([]*verdict, 0, len(l.mounts))
	for _, m := range l.mounts {
		one := cfg.judge(m)
		verdicts = append(verdicts, &one)
	}
	v := survey(l, verdicts, nil)
	out := Probed{Refused: v.refused, Example: v.example, Warning: l.warning, Took: time.Since(begun)}
	for _, one := range verdicts {
		if v.present[one.key] == one && stream.CheckKey(one.key) == nil {
			out.Keys = append(out.Keys, one.key)
		}
	}
	return out, nil
}
