// Package arrows holds the tests of who may import whom, and who may call what. It has no code.
package arrows
