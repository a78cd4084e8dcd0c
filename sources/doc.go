// Package sources lists what is live at the ingest servers and announces it.
//
// A Poller owns one source. It asks the source's lister for the mounts that
// are live (one file a format: icecast.go, srtrelay.go, nginxrtmp.go,
// mediamtx.go, srs.go; besides static.go and exec.go), lets the rules in force
// (rules.go, standing.go) judge each of them (judge.go), compares the outcome with what Redis knows
// (diff.go) and tells the store the difference in one call (poller.go).
//
// What holds:
//
//   - Unknown is never gone. A failed, cut off or unreadable answer is told as
//     SourceFailed and announces and retracts nothing. Only a good answer
//     without a stream counts towards its end, and the store, which knows the
//     time and the other pollers, decides when.
//   - The rules belong to the network. Whatever its own file says, a poller
//     announces by those that the store holds, and offers its own once, at its
//     start; what was in force outlives the store in its Memory.
//   - Strangers choose names, titles and, on a bad day, the whole answer. An
//     answer is bounded in bytes, depth and time; a mount is judged by itself;
//     a refused one is counted, shown with an example and harms no other.
//   - An ingest's idea of its own host name is never used: URLs are made of
//     the configured base and the mount's path.
//   - Facts that change while a stream runs (bytes, listeners, song titles)
//     are no variables, so that an unchanged stream costs nothing in Redis.
//   - A push from an ingest (Wake) only makes the next poll come at once.
//
// Goroutines: Poller.Run is one loop and ends with its context. While an exec
// source's command runs, os/exec keeps up to two more for its pipes, which end
// with the command or its deadline; an HTTP request keeps those of net/http,
// idle connections being closed when Run returns. Wake and Stats start none.
package sources
