// Package render turns the picture of the network into a file, for what is no slot and has to know where things are: an
// edge's nginx, a Prometheus, a DNS server.
//
// A Template is text/template over the contract of `status -o json`; what it may call is in functions.go. A Job brings one
// file up to date: it reads the picture, fills the template in, replaces the file in one step if its text differs, and then
// has whoever reads it told by a command. Whatever goes wrong on that way leaves the file as it is: a picture that cannot
// be read, or is read in a hold (when the store may have forgotten what runs), a template that fails, a disk that is full.
//
// That the command is due is noted on disk, beside the file and before it changes. So who is ended between the two, or
// whose command fails, has it run later, in this life or the next.
//
// The package starts no goroutine and no process: where the picture comes from, what hints at a change and how the
// command runs is given to it.
package render
