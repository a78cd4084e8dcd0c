package store

import (
	"fmt"
	"strings"

	"stream-api/stream"
)

// diagnoseLayouts names the hosts that keep a later layout from being in force.
func diagnoseLayouts(hosts []stream.HostStatus) []Finding {
	less, latest := stream.LessSpoken(hosts)
	if len(less) == 0 {
		return nil
	}
	return []Finding{{Warning, fmt.Sprintf("layout %d is not in force: it is not spoken by %s", latest, strings.Join(less, ", ")),
		"install the version of the rest there, and systemctl reload stream-api; what runs goes on meanwhile"}}
}
