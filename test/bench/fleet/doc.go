// Command fleet measures a network of many hosts: simulated ones, which are
// goroutines that speak the real code of store, queue and scheduler (a lease, a
// gate before the queues, claims, asserts, a scheduler that stands by) and hold
// slots without children, beside a few real `stream-api run` processes, one of
// which polls a toy ingest and serves the page to one watcher. Redis is a real
// one, with an append-only file.
//
// It prints a section of docs/benchmarks.md on stdout and writes the plot of the
// cost by the number of hosts where -plot says. What it prints about time is of
// this machine, which the simulated hosts share with what they ask.
package main
