package supervisor

import (
	"bufio"
	"errors"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Progress is the latest block of ffmpeg's -progress. A value ffmpeg does not know yet is 0.
type Progress struct {
	At      time.Time `json:"at"`
	Frame   int64     `json:"frame"`
	FPS     float64   `json:"fps"`
	Speed   float64   `json:"speed"`       // 1 is real time
	OutTime int64     `json:"out_time_us"` // microseconds of output
	Bitrate float64   `json:"bitrate"`     // kbit/s
	Dropped int64     `json:"drop_frames"`
}

// progressEvery is how often progress is told; ffmpeg reports twice a second.
const progressEvery = time.Second

// progressParser collects key=value lines to blocks, each ended by progress=continue or progress=end.
type progressParser struct{ block Progress }

// line takes one line and gives the block that it ends.
func (p *progressParser) line(text string) (Progress, bool) {
	key, value, _ := strings.Cut(strings.TrimSpace(text), "=")
	value = strings.TrimSpace(value)
	switch key {
	case "frame":
		p.block.Frame = number(value)
	case "fps":
		p.block.FPS = decimal(value)
	case "speed":
		p.block.Speed = decimal(strings.TrimSuffix(value, "x"))
	case "out_time_us":
		p.block.OutTime = number(value)
	case "bitrate":
		p.block.Bitrate = decimal(strings.TrimSuffix(value, "kbits/s"))
	case "drop_frames":
		p.block.Dropped = number(value)
	case "progress":
		done := p.block
		p.block = Progress{}
		return done, true
	}
	return Progress{}, false
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0 // N/A
	}
	return n
}

func decimal(text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) { // JSON has no infinity
		return 0
	}
	return n
}

// listenProgress opens the socket behind EnvProgress: ffmpeg's unix protocol connects to it and writes.
func listenProgress(dir string) (*net.UnixListener, error) {
	return net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, fileProgress), Net: "unix"})
}

// serveProgress reads every connection for the rest of the process's life. A tree may have several: a script of two
// ffmpegs gives both the same URL.
func serveProgress(l *net.UnixListener, got func(Progress), warn func(string, ...any)) {
	places := make(chan struct{}, 16) // more connections than that wait
	for {
		places <- struct{}{}
		conn, err := l.AcceptUnix()
		if err != nil {
			warn("progress is no longer read: %v", err)
			return
		}
		go func() {
			readProgress(conn, got)
			<-places
		}()
	}
}

func readProgress(conn *net.UnixConn, got func(Progress)) {
	defer func() { _ = conn.Close() }() // only read from
	who := connector(conn)
	var p progressParser
	in := bufio.NewReaderSize(conn, 1024)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return // closed, or a line of more than 1 KiB, which is not ffmpeg
		}
		if block, whole := p.line(string(line)); whole {
			if who > 0 && errors.Is(unix.Kill(who, 0), unix.ESRCH) {
				return // left by one that is gone: it says nothing of who came after it
			}
			block.At = time.Now()
			got(block)
		}
	}
}

// connector is the process that connected; 0 if the kernel does not tell.
func connector(conn *net.UnixConn) int {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0
	}
	who := 0
	_ = raw.Control(func(fd uintptr) {
		if u, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			who = int(u.Pid)
		}
	})
	return who
}

// removeSocket removes what an earlier process left at path.
func removeSocket(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
