package supervisor

import (
	"bufio"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// shrinkAfter is how long after the first child's start memory is given back: that costs some 10 ms of a processor, and
// when hundreds of children are to be started at once they come first.
const shrinkAfter = 3 * time.Second

// shrink gives back the memory that only the start needed. What comes now is the long and quiet part of the life.
func shrink() {
	// Little memory is worth more here than little work: there are as many of these processes as children.
	debug.SetGCPercent(20)
	debug.FreeOSMemory()
	unmapText()
}

// unmapText gives back the pages of the program's own code and constants. The start of a large program touches most of
// them, 15 MB in one that has a web page and a YAML parser in it, and a supervisor needs a tenth of that again, which it
// gets from the page cache. It is a courtesy: what fails leaves things as they are.
func unmapText() {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer func() { _ = maps.Close() }() // read only
	in := bufio.NewScanner(maps)
	for in.Scan() {
		// 00400000-0048f000 r-xp 00000000 fe:00 1234   /usr/bin/stream-api
		f := strings.Fields(in.Text())
		if len(f) != 6 || f[5] != exe || strings.Contains(f[1], "w") || !strings.HasSuffix(f[1], "p") {
			continue // a writable page may be no copy of the file's any more
		}
		from, to, _ := strings.Cut(f[0], "-")
		start, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		if err1 != nil || err2 != nil {
			return
		}
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(start), uintptr(end-start), unix.MADV_DONTNEED)
	}
}
