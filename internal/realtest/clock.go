package realtest

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// shiftedClock is preloaded into a server and adds the microseconds that lie
// in a file to what it reads from the wall clock; the monotonic clock is left
// as it is.
const shiftedClock = `#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile long long *shift;
__attribute__((constructor)) static void begin(void) {
	int fd = open(getenv("CLOCK_SHIFT"), O_RDONLY);
	void *at = fd < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) abort();
	shift = at;
}
static long long now(void) {
	struct timespec t;
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000 + (shift ? *shift : 0);
}
int gettimeofday(struct timeval *restrict tv, void *restrict tz) {
	long long us = now();
	(void)tz;
	tv->tv_sec = us / 1000000; tv->tv_usec = us % 1000000;
	return 0;
}
time_t time(time_t *out) {
	time_t s = now() / 1000000;
	if (out) *out = s;
	return s;
}
int clock_gettime(clockid_t clock, struct timespec *t) {
	if (clock != CLOCK_REALTIME) return syscall(SYS_clock_gettime, clock, t);
	long long us = now();
	t->tv_sec = us / 1000000; t->tv_nsec = us % 1000000 * 1000;
	return 0;
}
`

// RedisWithClock is Redis whose wall clock the test can step while it runs;
// step sets how far it is off from now on. It needs a C compiler, as the race
// detector does.
func RedisWithClock(t testing.TB, args ...string) (server *RedisServer, step func(time.Duration)) {
	t.Helper()
	dir := directory(t, "clock")
	source, library, shift := filepath.Join(dir, "clock.c"), filepath.Join(dir, "clock.so"), filepath.Join(dir, "shift")
	if err := os.WriteFile(source, []byte(shiftedClock), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(find(t, "cc", "gcc"), "-O1", "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	step = func(off time.Duration) {
		t.Helper()
		// In place: the server has the file mapped.
		f, err := os.OpenFile(shift, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Write(binary.NativeEndian.AppendUint64(nil, uint64(off.Microseconds())))
		if closeErr := f.Close(); err != nil || closeErr != nil {
			t.Fatalf("step the clock: %v, %v", err, closeErr)
		}
	}
	step(0)
	return startRedis(t, []string{"LD_PRELOAD=" + library, "CLOCK_SHIFT=" + shift}, args), step
}
