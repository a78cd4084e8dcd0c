package supervisor

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Now returns CLOCK_BOOTTIME in nanoseconds: the clock of every deadline in this package. It is monotonic, counts the
// time a machine was suspended, is the same for all processes of one boot, and means nothing after a reboot.
func Now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(fmt.Sprintf("read CLOCK_BOOTTIME: %v", err)) // since Linux 2.6.39; without a clock no promise can be kept
	}
	return ts.Nano()
}

// alarm is a timerfd on the clock of Now. A timer of the Go runtime would stand still while the machine is suspended and
// fire late after it; this one is due the moment the machine is back.
type alarm struct {
	fd   int
	file *os.File
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create the deadline's timer: %w", err)
	}
	return &alarm{fd: fd, file: os.NewFile(uintptr(fd), "deadline")}, nil
}

// set arms the alarm for the absolute time at, in place of any earlier one.
func (a *alarm) set(at int64) error {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(at, 1))} // zero would disarm it
	if err := unix.TimerfdSettime(a.fd, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		return fmt.Errorf("set the deadline's timer: %w", err)
	}
	return nil
}

// wait blocks until the alarm has gone off since the last wait, or is closed.
func (a *alarm) wait() error {
	var n [8]byte
	_, err := a.file.Read(n[:])
	return err
}
