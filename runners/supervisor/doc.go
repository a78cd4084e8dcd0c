// Package supervisor keeps one child process, and everything that child starts, alive until a deadline, and not a moment
// longer.
//
// A runner starts a supervisor for each slot it runs: a small process of its own (Main), which outlives the runner. The
// runner talks to it through a Client, over a unix socket in the slot's directory. If the runner dies, is frozen, or is
// replaced by another binary, the child does not notice. If nobody feeds the supervisor a new deadline, the child's whole
// tree is gone when the old one passes. Linux only.
//
// # Why no slot ever has two children
//
// Who is authoritative. Redis says which host has a slot, and until when (the host's lease). The runner turns that into
// a time on this machine's CLOCK_BOOTTIME up to which the host may trust its lease, and feeds it to its supervisors. The
// supervisor knows one thing, the deadline, and enforces it alone. Another host gets the slot only after the lease in
// Redis has run out, which is later than the deadline by the runner's margin. The supervisor's promise is therefore the
// whole of what keeps a slot from running twice: at the deadline the tree is ended by KILL, and that takes milliseconds.
//
// The life is one way. waiting (for the first Go) → starting, running, stopping, cleaning, pausing, and round again →
// ended. A term (term.go) is waiting, then running, then lapsed. Nothing leads from lapsed anywhere: each Go and each
// Feed first asks whether the deadline that is in force has passed, and only then looks at the new one. A supervisor that stood
// still, or a machine that was suspended, finds its deadline passed when it goes on, whatever waits in the socket.
//
// Who may speak. A process of the child's user can reach the socket of each slot. So a hello needs the slot's key, which Start is
// told and of which the spec has only a hash, and it says the ttl of the runner's lease: no Go and no Feed may set a deadline
// further ahead than that. Who has not the key is refused and told of, and the oldest of too many such connections is cut.
//
// A child begins only on an unexpired Go of a runner that is connected at the moment of the fork; the kernel is asked, as
// a Go that was sent before a runner's death is read after it. The deadline is looked at once more just before the fork.
// A supervisor that gets no Go, or whose runner goes before it gave one, ends by itself.
//
// The trust window. A deadline is an absolute time of CLOCK_BOOTTIME, which counts suspend and is the same for all
// processes of a boot. It is held by a timerfd, not by a timer of the Go runtime, which would stand still in a suspended machine. One
// goroutine waits for it and kills by itself; it shares no lock with anything that writes to a disk, to a socket or to the
// child. Files are written by goroutines of their own for the same reason.
//
// A tree is gone when the kernel says so. The supervisor is the subreaper of everything below it, so a process whose
// parent dies becomes the supervisor's child. Having no child at all, which waitid answers with ECHILD, is therefore having
// no descendant: daemons that double-fork, make sessions, ignore TERM and close their files included. KILL goes to the
// process group of the child, to the cgroup where there is a delegated cgroup v2, and to each descendant that a walk over
// the tree finds, again and again until ECHILD. Processes are held by a pidfd and compared by their start time before a signal is
// sent, so a pid that was given out again is never hit. done, and the exited of each attempt, are said only after that.
//
// # What happens on each failure
//
//   - The runner is killed: the child runs until the deadline; the next runner adopts within it and nothing stops. A new
//     connection replaces the old one, so a runner that was only frozen finds itself replaced (ErrReplaced) and can feed
//     nothing any more.
//   - The runner is frozen: the same, without anybody to adopt: KILL at the deadline.
//   - The runner reads slowly or not at all: the supervisor never waits for it. It is cut off, and has the whole state
//     when it connects again.
//   - The child's output does not come, where the spec says how that is found out (ready.go): it is asked again and again, runner or
//     not, and the child is ended as one that stalls when its time is over.
//   - The child ends by itself: what is left of its tree is killed, post_stop runs, and it is started again with backoff,
//     also while no runner lives, for as long as the deadline is unexpired. Giving up is the runner's decision.
//   - The deadline passes: the tree is killed at once, without a grace, post_stop runs, and the supervisor ends. That
//     counts as no failure of the child.
//   - The disk is full or stands still: log lines are left out and counted, the saved state is old, a warning is sent.
//     The child and the deadline do not care.
//   - A process cannot be killed (it hangs in the kernel): the supervisor says which, and stays until it is gone.
//   - The supervisor gets a TERM (systemd ends the unit): a graceful stop.
//   - The supervisor is killed by KILL: its direct child dies with it (PDEATHSIG; the forking goroutine is bound to its
//     thread for good, as that signal goes by the thread). Other descendants live on. The next runner's List finds them,
//     by their cgroup or by the variables file in their environment, and Finish ends them and runs post_stop. The honest
//     limit: until then nobody enforces their deadline, and without a cgroup, one that cleared its environment, left
//     its session and has lost its parents is not found.
//   - The supervisor is stopped by SIGSTOP: nothing enforces the deadline until it goes on. Client.Fed falling behind
//     shows it.
//   - The machine goes down: nothing is left to end. boot_id in the state tells its pids from those of a later boot.
//
// What a child started outside its own tree (docker run, ssh) only a post_stop hook can end.
//
// # Files of a slot's directory
//
// spec.json is what to run; after the end it is rewritten without environment, arguments and secrets. state.json is the
// last known State. lock is locked as long as the supervisor lives, and is the only sign of that. sock and prog are the
// sockets of the protocol and of ffmpeg's -progress; log and log.1 the log; io/vars what the child publishes; env/now its environment as a start would have it now, while it runs; work its
// working directory, kept over restarts; stderr what the supervisor itself has to say, empty unless it broke. Nothing is
// synced to the disk: what is written is about processes, and a crash that loses it ends these too.
//
// # Goroutines
//
// Of the supervisor's process, each until the process ends: the life (on Main's goroutine); forker.run, bound to its
// thread, which forks and reaps; guard.watch, which waits for the deadline and kills; journal.run and saver.run, which write
// and are closed by Main; varsFile.run; serveProgress and one reader a connection; server.run and, for each
// connection, a reader and a writer, which end with it; the signal handler; two pumps for each running process, which
// end with its tree; while a child is not ready one for the probe under way, which ends with that. Of a Client: read, which ends with the connection, and deliver, which ends with it or by Close; after a
// connection was lost one more for up to five seconds, to reap the supervisor if it was a child of this process.
package supervisor
