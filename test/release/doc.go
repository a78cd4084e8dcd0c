// Package release tests what is handed out: that anybody can build the same
// bits again, and that what is linked is told.
package release
