// Package stream is the vocabulary of stream-api: streams, slots, services,
// hosts and what is said of them, with the pure rules on those words (which
// names are legal, which service may take which stream, how templates
// resolve, how a list of mounts becomes announcements).
//
// It imports nothing of this project, does no input or output, reads no
// clock and starts no goroutine. Every other package speaks in its types.
package stream
