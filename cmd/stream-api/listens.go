package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// listening is the state of a socket that listens, in /proc/net/tcp.
const listening = "0A"

// listensHere tells whether a process of the user listens on the port of
// address.
func listensHere(address string, uid int) (bool, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false, err
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return false, err
	}
	suffix, owner := fmt.Sprintf(":%04X", number), strconv.Itoa(uid)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if os.IsNotExist(err) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return false, err
		}
		for line := range strings.Lines(string(text)) {
			// 0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 12345 …
			if f := strings.Fields(line); len(f) > 7 && strings.HasSuffix(f[1], suffix) && f[3] == listening && f[7] == owner {
				return true, nil
			}
		}
	}
	return false, nil
}
