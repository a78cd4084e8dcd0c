// Package realrun runs the real program in tests: it builds the binary once,
// starts hosts with a file of their own, and watches from outside what their
// children did.
//
// Each started host has one goroutine, which waits for its process and ends
// with it. A test that ends kills its hosts and waits for their children.
package realrun
