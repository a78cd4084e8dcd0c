package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// world is where a probe is: the files of a host, and a process outside.
type world struct {
	Dir     string
	Outside int // a process of the same user
	Thread  int // one of its threads
	Server  string
}

func (w world) at(path string) string { return filepath.Join(w.Dir, path) }

// attempt is one thing that a child might do. It gives no error if it could.
type attempt struct {
	name string
	// denied is the first version of Landlock with which hide prevents it; 0: it never does, as it is the child's own affair.
	denied int
	do     func(world) error
}

func reads(name string, denied int, path string) attempt {
	return attempt{"read " + name, denied, func(w world) error { _, err := os.ReadFile(w.at(path)); return err }}
}

func opens(name string, denied, flags int, path string) attempt {
	return attempt{name, denied, func(w world) error { return closing(os.OpenFile(w.at(path), flags, 0o600)) }}
}

func lists(name string, denied int, path string) attempt {
	return attempt{"list " + name, denied, func(w world) error { _, err := os.ReadDir(w.at(path)); return err }}
}

func closing(f io.Closer, err error) error {
	if err != nil {
		return err
	}
	return f.Close()
}

// attempts are in the order in which they are made: what one destroys comes last.
var attempts = []attempt{
	reads("the token", abiFiles, "etc/token"),
	reads("the configuration", abiFiles, "etc/config.yaml"),
	reads("the configuration by its directory", abiFiles, "etc/conf.d/more.yaml"),
	reads("another service's env_file", abiFiles, "etc/other.env"),
	reads("another slot's spec", abiFiles, "state/s/other/spec.json"),
	reads("its own slot's spec", abiFiles, "state/s/own/spec.json"),
	reads("another slot's variables", abiFiles, "state/s/other/io/vars"),
	reads("the host's id", abiFiles, "state/host_id"),
	reads("the state by a link beside it", abiFiles, "link/host_id"),
	reads("a secret by a link beside it", abiFiles, "etc/link"),
	reads("what a hidden link leads to", abiFiles, "run/v1/secret"),
	{"read the token through /proc/self/root", abiFiles, func(w world) error { _, err := os.ReadFile("/proc/self/root" + w.at("etc/token")); return err }},
	{"read the token from its work directory", abiFiles, func(w world) error {
		_, err := os.ReadFile(w.at("state/s/own/work") + "/../../../../etc/token")
		return err
	}},
	{"read the token by a link of its own", abiFiles, func(w world) error {
		link := w.at("state/s/own/work/link")
		if err := os.Symlink(w.at("etc/token"), link); err != nil {
			return err
		}
		_, err := os.ReadFile(link)
		return err
	}},
	{"run a program that is hidden", abiFiles, func(w world) error { return exec.Command(w.at("state/program")).Run() }},
	lists("the state", abiFiles, "state"),
	lists("its own slot", abiFiles, "state/s/own"),
	lists("the directory of a hidden file", abiFiles, "etc"),
	lists("the root", abiFiles, "../../.."),

	opens("write the token", abiFiles, os.O_WRONLY, "etc/token"),
	opens("append to the configuration", abiFiles, os.O_WRONLY|os.O_APPEND, "etc/config.yaml"),
	opens("write another slot's variables", abiFiles, os.O_WRONLY|os.O_APPEND, "state/s/other/io/vars"),
	opens("write its own env_file", abiFiles, os.O_WRONLY, "etc/own.env"),
	opens("put a file into the state", abiFiles, os.O_CREATE|os.O_EXCL|os.O_WRONLY, "state/s/new.json"),
	opens("put a file beside what is hidden", abiFiles, os.O_CREATE|os.O_EXCL|os.O_WRONLY, "etc/new"),
	{"put a FIFO into the state", abiFiles, func(w world) error { return unix.Mkfifo(w.at("state/s/fifo.json"), 0o600) }},
	{"put a directory into the state", abiFiles, func(w world) error { return os.Mkdir(w.at("state/s/fedcba9876543210"), 0o700) }},
	{"put a link into the state", abiFiles, func(w world) error { return os.Symlink("/dev/zero", w.at("state/s/link.json")) }},
	{"put a socket into the state", abiFiles, func(w world) error { return closing(net.Listen("unix", w.at("state/s/s"))) }},
	{"link the token into its work directory", abiFiles, func(w world) error { return os.Link(w.at("etc/token"), w.at("state/s/own/work/t")) }},
	{"move the directory of a hidden file", abiFiles, func(w world) error {
		if err := os.Rename(w.at("etc"), w.at("etc2")); err != nil {
			return err
		}
		return os.Rename(w.at("etc2"), w.at("etc"))
	}},
	{"mount over the state", abiFiles, mountOver},
	{"fill a control group", abiFiles, func(world) error {
		for _, path := range []string{"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs", "/sys/fs/cgroup/pids/cgroup.procs"} {
			if err := closing(os.OpenFile(path, os.O_WRONLY, 0)); !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		return errNotHere
	}},

	{"read the environment of a process outside", abiFiles, proc("environ")},
	{"read the memory map of a process outside", abiFiles, proc("maps")},
	{"open the memory of a process outside", abiFiles, func(w world) error {
		return closing(os.OpenFile(fmt.Sprintf("/proc/%d/mem", w.Outside), os.O_RDWR, 0))
	}},
	{"look at the descriptors of a process outside", abiFiles, func(w world) error {
		_, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/1", w.Outside))
		return err
	}},
	{"go through the root of a process outside", abiFiles, func(w world) error {
		_, err := os.ReadFile(fmt.Sprintf("/proc/%d/root%s", w.Outside, w.at("public/file")))
		return err
	}},
	{"trace a process outside", abiFiles, traceOutside},
	{"read from a process outside", abiFiles, readOutside},
	{"take a descriptor of a process outside", abiFiles, func(w world) error {
		fd, err := unix.PidfdOpen(w.Outside, 0)
		if err != nil {
			return err
		}
		taken, err := unix.PidfdGetfd(fd, 0, 0)
		if err != nil {
			return err
		}
		return unix.Close(taken)
	}},

	{"signal a process outside", abiSignals, func(w world) error { return unix.Kill(w.Outside, unix.SIGWINCH) }},
	{"signal a thread outside", abiSignals, func(w world) error { return unix.Tgkill(w.Outside, w.Thread, unix.SIGWINCH) }},
	{"signal by a pidfd", abiSignals, func(w world) error {
		fd, err := unix.PidfdOpen(w.Outside, 0)
		if err != nil {
			return err
		}
		return unix.PidfdSendSignal(fd, unix.SIGWINCH, nil, 0)
	}},
	{"signal the group of a process outside", abiSignals, func(w world) error { return unix.Kill(-w.Outside, unix.SIGWINCH) }},
	{"queue a signal", abiSignals, func(w world) error {
		info := [16]uint64{uint64(unix.SIGWINCH), 0xffffffff} // si_signo, si_code SI_QUEUE
		_, _, e := unix.Syscall(unix.SYS_RT_SIGQUEUEINFO, uintptr(w.Outside), uintptr(unix.SIGWINCH), uintptr(unsafe.Pointer(&info)))
		return number(e)
	}},

	// A socket in a hidden directory: until then its owner has to ask for a key.
	{"connect to a socket in the state", abiSockets, func(w world) error { return closing(net.Dial("unix", w.at("state/s/other/sock"))) }},

	{"gain privileges by a program that is set-uid", -1, func(world) error {
		set, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
		if err == nil && set == 1 {
			err = unix.EPERM
		}
		return err
	}},

	// What is its own affair.
	reads("its own env_file", 0, "etc/own.env"),
	reads("a file beside what is hidden", 0, "etc/hosts"),
	reads("a file of a directory beside what is hidden", 0, "etc/ssl/ca"),
	reads("a file anywhere else", 0, "public/file"),
	lists("a directory anywhere else", 0, "recordings"),
	lists("its work directory", 0, "state/s/own/work"),
	opens("write into its work directory", 0, os.O_CREATE|os.O_WRONLY, "state/s/own/work/out"),
	opens("write its variables", 0, os.O_CREATE|os.O_WRONLY|os.O_APPEND, "state/s/own/io/vars"),
	opens("write a recording", 0, os.O_CREATE|os.O_EXCL|os.O_WRONLY, "recordings/one.mkv"),
	{"write a recording into a new directory", 0, func(w world) error {
		if err := os.MkdirAll(w.at("recordings/2026/11"), 0o755); err != nil {
			return err
		}
		return os.WriteFile(w.at("recordings/2026/11/two.mkv"), []byte("x"), 0o600)
	}},
	{"rename within its work directory", 0, func(w world) error {
		if err := os.WriteFile(w.at("state/s/own/work/a"), nil, 0o600); err != nil {
			return err
		}
		return os.Rename(w.at("state/s/own/work/a"), w.at("state/s/own/work/b"))
	}},
	{"connect to its progress", 0, func(w world) error { return closing(net.Dial("unix", w.at("state/s/own/prog"))) }},
	{"connect to an abstract socket", 0, func(w world) error { return closing(net.Dial("unix", "@"+w.Server)) }},
	{"connect by TCP", 0, func(w world) error { return closing(net.Dial("tcp", w.Server)) }},
	{"send by UDP", 0, func(w world) error {
		c, err := net.Dial("udp", w.Server)
		if err != nil {
			return err
		}
		_, err = c.Write([]byte("x"))
		return errors.Join(err, c.Close())
	}},
	{"write to a device", 0, func(world) error { return os.WriteFile("/dev/null", []byte("x"), 0) }},
	{"use pipes of a shell", 0, func(world) error { return exec.Command("/bin/sh", "-c", "echo x | cat | grep -q x").Run() }},
	{"signal a child of its own", 0, signalOwn},
	{"trace a child of its own", 0, traceOwn},
	{"read its own environment in /proc", 0, func(world) error { _, err := os.ReadFile("/proc/self/environ"); return err }},
	{"signal itself", 0, func(world) error { return unix.Kill(os.Getpid(), unix.SIGWINCH) }},

	// What destroys something.
	{"cut the token by its path", abiTruncate, func(w world) error { return os.Truncate(w.at("etc/token"), 0) }},
	opens("cut the configuration as it is opened", abiFiles, os.O_WRONLY|os.O_TRUNC, "etc/config.yaml"),
	{"remove its progress socket", abiFiles, func(w world) error { return os.Remove(w.at("state/s/own/prog")) }},
	{"remove its own work directory", abiFiles, func(w world) error {
		return os.Rename(w.at("state/s/own/work"), w.at("recordings/work"))
	}},
	{"move a file over the token", abiFiles, func(w world) error {
		own := w.at("recordings/mine")
		if err := os.WriteFile(own, []byte("mine"), 0o600); err != nil {
			return err
		}
		return os.Rename(own, w.at("etc/token"))
	}},
	{"remove the configuration", abiFiles, func(w world) error { return os.Remove(w.at("etc/config.yaml")) }},
}

// moves need no permission but the one to move, which the first version cannot give.
var moves = []attempt{
	{"move a file into another directory", 0, func(w world) error {
		if err := os.WriteFile(w.at("public/one"), nil, 0o600); err != nil {
			return err
		}
		return os.Rename(w.at("public/one"), w.at("recordings/three.mkv"))
	}},
}

// errNotHere: this machine has nothing to try it on.
var errNotHere = errors.New("not to be tried here")

func proc(file string) func(world) error {
	return func(w world) error {
		_, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", w.Outside, file))
		return err
	}
}

// mountOver needs a user namespace, which not every machine gives.
func mountOver(w world) error {
	script := fmt.Sprintf("mount --bind %s %s", w.at("recordings"), w.at("recordings"))
	cmd := exec.Command("unshare", "-rm", "/bin/sh", "-c", "exec 2>&1; true && "+script)
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "unshare") || errors.Is(err, exec.ErrNotFound) {
		return errNotHere
	}
	return err
}

func traceOutside(w world) error { return trace(w.Outside) }

func trace(pid int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.PtraceSeize(pid); err != nil {
		return err
	}
	if err := unix.PtraceInterrupt(pid); err != nil {
		return err
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil {
		return err
	}
	return unix.PtraceDetach(pid)
}

func readOutside(w world) error {
	var mine [1]byte
	local := []unix.Iovec{{Base: &mine[0]}}
	local[0].SetLen(1)
	// An address that is nobody's: EFAULT is said only to who may look.
	_, err := unix.ProcessVMReadv(w.Outside, local, []unix.RemoteIovec{{Base: 8, Len: 1}}, 0)
	if errors.Is(err, unix.EFAULT) {
		return nil
	}
	return err
}

func sleeper() (*exec.Cmd, error) {
	cmd := exec.Command("/bin/sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, cmd.Start()
}

func signalOwn(world) error {
	cmd, err := sleeper()
	if err != nil {
		return err
	}
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	_ = cmd.Wait() // it was killed
	return nil
}

func traceOwn(world) error {
	cmd, err := sleeper()
	if err != nil {
		return err
	}
	err = trace(cmd.Process.Pid)
	_ = cmd.Process.Kill() // the error of trace counts
	_ = cmd.Wait()
	return err
}

func number(e syscall.Errno) error {
	if e != 0 {
		return e
	}
	return nil
}

// playProbe makes every attempt and prints what came of each: "" for done.
func playProbe() int {
	var w world
	if err := json.Unmarshal([]byte(os.Getenv("WORLD")), &w); err != nil {
		fmt.Println(err)
		return 1
	}
	runtime.LockOSThread() // Pdeathsig
	out := map[string]string{}
	for _, a := range append(attempts, moves...) {
		out[a.name] = ""
		if err := a.do(w); err != nil {
			out[a.name] = err.Error()
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		return 1
	}
	return 0
}

// playOutside is a process that is not the child's: it says who it is and waits.
func playOutside() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	address := l.Addr().String()
	abstract, err := net.Listen("unix", "@"+address)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(address, threads[len(threads)-1].Name())
	for _, s := range []string{os.Getenv("SOCK"), os.Getenv("PROG")} {
		if l, err := net.Listen("unix", s); err == nil {
			go accept(l)
		}
	}
	fmt.Println("ready")
	go accept(l)
	accept(abstract)
	return 0
}

func accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close() // only read from
		}()
	}
}
