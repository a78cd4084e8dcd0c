// Package problem finds in a picture of the network what needs somebody: what does not run, fails, is refused or missing,
// and why. The page's list, `events --problems` and `status --check` are made of it. It is pure: what it knows comes as
// arguments, and the clock is the store's.
package problem
