package runners

import (
	"errors"
	"testing"
	"time"
)

func TestALookThatFailedIsSoonRepeated(t *testing.T) {
	t.Parallel()
	const beat = 2 * time.Second
	for _, c := range []struct {
		err  error
		took time.Duration
		want time.Duration
	}{
		{nil, time.Millisecond, lookPause},
		{nil, 100 * time.Millisecond, 400 * time.Millisecond},
		{nil, 5 * time.Second, beat},
		{errors.New("the store is away"), 2 * beat, beat / 4},
	} {
		if got := restAfter(c.err, c.took, beat); got != c.want {
			t.Errorf("after a look of %v (%v): %v, want %v", c.took, c.err, got, c.want)
		}
	}
}
