// Command stream-api gives each processing slot of each live stream to one
// host with room, runs the work there, keeps it running, and moves it within
// seconds when the host dies.
//
// This package only parses, wires and exits: every command is one file. The
// process `run` starts is put together in assemble.go; the demo is the same
// process three times over beside a toy ingest.
package main
