// Package seclude has a process that keeps others give them nothing of its own: no descriptor that it has not handed over,
// no look into its memory and environment, no core file with what it knows.
package seclude
