// Package arrows holds the test of who may import whom. It has no code.
package arrows
