// Package e2e runs the built program end to end: real Redis, real Icecast,
// real ffmpeg, several hosts on one machine.
package e2e
