// Package chaos kills, freezes and cuts off real processes and measures from
// outside what that does to the children: time without a child per slot, and
// time with two children per slot.
package chaos
