// Package realtest starts real servers for tests: no fake answers for
// Redis here, so that what a test shows holds in the field.
//
// A server lives on a unix socket or a free port of its own, in a directory
// of its own, and is ended by its process id when the test ends; a test
// binary that dies takes its servers with it. Each running server has one
// goroutine, which waits for the process and ends with it.
package realtest
