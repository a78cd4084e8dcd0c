// Package regular reads and writes files in directories that others may write to as well: only regular files, never
// through a link in the last part of a path, never waiting for a pipe's other end, and never more than was asked for.
//
// A file system that does not answer (a network mount whose server is gone) holds whoever asks it for as long as it
// likes, whatever the flags. Within leaves such a call behind and goes on. The goroutine it leaves, and the thread under
// it, end when the file system answers; a second call for the same path is refused until then, so that there is never
// more than one of each.
package regular
