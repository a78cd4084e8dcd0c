package scheduler

import (
	"context"
	"time"
)

func (s *Scheduler) move(context.Context) (time.Duration, error) { return 0, nil }
