package main

import (
	"fmt"
	"math"
	"strings"
)

// point is what a number of idle hosts cost.
type point struct {
	hosts   int
	perHost float64 // commands a second that a host sends
	others  float64 // those that schedulers and the page send, for each service of each host
	redis   float64 // percent of a core, in all
}

const (
	plotWidth, plotHeight = 720, 400
	left, right           = 70, 70
	top, bottom           = 40, 60
)

// plot draws the cost by the number of hosts: what a host sends, and the share of
// a core that Redis takes. Both axes of x and of the share are logarithmic.
func plot(points []point) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", plotWidth, plotHeight)
	lo, hi := math.Log10(float64(points[0].hosts)), math.Log10(float64(points[len(points)-1].hosts))
	x := func(hosts int) float64 {
		return left + (math.Log10(float64(hosts))-lo)/(hi-lo)*(plotWidth-left-right)
	}
	level := func(share float64) float64 { return plotHeight - bottom - share*(plotHeight-top-bottom) }
	sent := func(v float64) float64 { return level(v / 6) }
	share := func(v float64) float64 { return level((math.Log10(math.Max(v, 0.1)) + 1) / 3) } // 0.1 to 100 %
	for v := 0; v <= 6; v++ {
		fmt.Fprintf(&b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end" fill="#06c">%d</text>`+"\n",
			left, sent(float64(v)), plotWidth-right, sent(float64(v)), left-8, sent(float64(v))+4, v)
	}
	for _, v := range []float64{0.1, 1, 10, 100} {
		fmt.Fprintf(&b, `<text x="%d" y="%.1f" fill="#c30">%g %%</text>`+"\n", plotWidth-right+8, share(v)+4, v)
	}
	line := func(colour string, y func(point) float64) {
		var at []string
		for _, p := range points {
			at = append(at, fmt.Sprintf("%.1f,%.1f", x(p.hosts), y(p)))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", x(p.hosts), y(p), colour)
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(at, " "), colour)
	}
	line("#06c", func(p point) float64 { return sent(p.perHost) })
	line("#c30", func(p point) float64 { return share(p.redis) })
	for _, p := range points {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", x(p.hosts), plotHeight-bottom+20, p.hosts)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">idle hosts, a scheduler that stands by on each</text>`+"\n", plotWidth/2, plotHeight-15)
	fmt.Fprintf(&b, `<text x="%d" y="22" fill="#06c">commands a second that a host sends</text>`+"\n", left)
	fmt.Fprintf(&b, `<text x="%d" y="22" text-anchor="end" fill="#c30">Redis, share of a core</text>`+"\n", plotWidth-right)
	b.WriteString("</svg>\n")
	return b.String()
}
