// Package cli runs the built program as people type it: each script of
// testdata has a real Redis of its own, and hosts beside it where it asks for
// them. What a script may use is said in commands_test.go.
package cli
