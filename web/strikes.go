package web

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"
)

// Wrong tokens that an address may send before it is told to wait.
const (
	strikeEvery = 2 * time.Second
	strikeBurst = 10
	// strikesFor is how long an address is remembered at least.
	strikesFor = 10 * time.Minute
	// strikesMax bounds the addresses remembered; those beyond share one limit.
	strikesMax = 10_000
	strikeWarn = time.Minute
)

// strikes limits wrong tokens, those of the form and those of a header alike,
// by the address they come from. The right token is never asked about here.
type strikes struct {
	log zerolog.Logger

	mu           sync.Mutex
	last, former map[netip.Prefix]*rate.Limiter // former: those of before turned
	turned       time.Time
	rest         *rate.Limiter
	wrong        int // since warned
	warned       time.Time
}

func newStrikes(log zerolog.Logger) *strikes {
	return &strikes{log: log, last: map[netip.Prefix]*rate.Limiter{}, rest: newStrikeLimit()}
}

func newStrikeLimit() *rate.Limiter { return rate.NewLimiter(rate.Every(strikeEvery), strikeBurst) }

// wrongToken notes one from a remote address; false: it has to wait.
func (s *strikes) wrongToken(remote string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.wrong++; now.Sub(s.warned) >= strikeWarn {
		s.log.Warn().Int("times", s.wrong).Str("from", remote).Msg("wrong web tokens were sent; the next such line comes in a minute at the earliest")
		s.wrong, s.warned = 0, now
	}
	return s.of(neighbourhood(remote), now).AllowN(now, 1)
}

func (s *strikes) of(from netip.Prefix, now time.Time) *rate.Limiter {
	if now.Sub(s.turned) > strikesFor {
		s.former, s.last, s.turned = s.last, map[netip.Prefix]*rate.Limiter{}, now
	}
	if l := s.last[from]; l != nil {
		return l
	}
	if len(s.last) >= strikesMax {
		return s.rest
	}
	l := s.former[from]
	if l == nil {
		l = newStrikeLimit()
	}
	s.last[from] = l
	return l
}

// neighbourhood is what one who connects has to himself: an IPv4 address, or
// the 64 bits that an IPv6 network gives to one customer at least.
func neighbourhood(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{} // no address of a network: all such are one
	}
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
