// Package plan says what a child is: the values its templates may use, and who it
// is for.
package plan
