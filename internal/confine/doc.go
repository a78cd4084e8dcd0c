// Package confine keeps a child from what is its keeper's: the files that the host reads, the state of the other slots, and
// processes outside its own tree. It needs no privilege, only a kernel with Landlock.
//
// # What holds, and how
//
// A Policy names what is hidden. Landlock knows no denial, only permission for whole directories. So the walk (walk.go) goes down
// to each hidden place from the root, and permits everything beside the way; on the way itself nothing is permitted. What
// follows from that: a directory on the way (/, /etc, /var/lib) can neither be listed nor be given new entries, and an entry that
// is put there later is hidden, too, until the program is started again. Symbolic links need no permission, as what counts is where
// they lead; so none is followed here.
//
// What may be done to a file without opening it is not Landlock's: to look at its size and owner, to change its mode. What it
// does not hold beyond that is listed by Lacks, by the version of the kernel's Landlock (the ABI).
//
// # Between fork and program
//
// A Passage is one start. The parent makes the ruleset; a process of this same program (package step) takes it on and becomes the
// program. The rules bind what is started from there for good, and nobody else: a thread of the parent that took them on would be
// inside, where the child may signal it. Parent and step share a pipe that is closed when the program runs.
package confine
