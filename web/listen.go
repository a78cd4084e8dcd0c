package web

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// minToken is the shortest token that opens a port to others; it holds 64
// bits even when written in hexadecimal digits.
const minToken = 16

// checkListen refuses an address that others can reach without a token.
func checkListen(address, token string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("web.listen %q: write host:port, such as 127.0.0.1:8080: %w", address, err)
	}
	if token != "" && len(token) < minToken {
		return fmt.Errorf("web: the token has %d characters; take at least %d (openssl rand -hex 16)", len(token), minToken)
	}
	if strings.Contains(strings.ToLower(token), "change") {
		return errors.New("web: the token is the one of an example, which everybody knows; make one: openssl rand -hex 16")
	}
	if token != "" || isLoopback(host) {
		return nil
	}
	return fmt.Errorf("web.listen %q can be reached from other machines and there is no token: "+
		"whoever reaches it could stop every stream. Set web.token_file (openssl rand -hex 16 > FILE), or listen on 127.0.0.1", address)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
