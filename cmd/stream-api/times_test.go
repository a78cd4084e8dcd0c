package main

import (
	"testing"
	"time"
)

func TestHowLongAJobTook(t *testing.T) {
	t.Parallel()
	for took, want := range map[time.Duration]string{
		-time.Second: "0s", 1240 * time.Millisecond: "1.2s", 59 * time.Second: "59s", 100 * time.Second: "1m40s", 2 * time.Minute: "2m00s",
		20*time.Minute + 10*time.Second: "20m10s", 80 * time.Minute: "1h20m", 50 * time.Hour: "2d",
	} {
		if got := lasted(took.Milliseconds()); got != want {
			t.Errorf("%v: %s; want %s", took, got, want)
		}
	}
}
