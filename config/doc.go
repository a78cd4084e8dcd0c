// Package config is the file: one host's view of the network, of its sources
// and of the services it offers. It reads YAML, merges several files, fills
// in defaults, checks everything that can be checked without the network, and
// hands out typed values.
//
// A file goes through these steps, each in a file of its own:
//
//	tree       YAML text → nodes that know file, line and column
//	canonical  older and shorter spellings → the one the decoder knows
//	merge      several files → one tree
//	decode     tree → Config, every key known, every value of its type
//	check      rules between keys
//	warnings   what is legal, but will disappoint on this machine
//
// Every step goes on after a problem, so that one run shows all of them. The
// YAML library parses; decoding is done here because a decoder that stops at
// the first problem, knows one file, or turns 1.10 into 1.1 will not do.
//
// The package is a leaf: only the command imports it. It keeps no goroutines
// and no state.
package config
