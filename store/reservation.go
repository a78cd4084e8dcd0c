package store

import (
	"strings"

	"stream-api/stream"
)

// Reservation is a slot given to a host under a fencing token.
type Reservation struct {
	Key   string // of the stream
	Slot  string // its place in the chain; with ~next during a handover
	Type  string // of the service
	Host  string
	Token string // unique, compared by equality
}

// Holder is one life of a host: who speaks.
type Holder struct {
	Host        string
	Incarnation string
}

func readReservation(row reply) Reservation {
	return Reservation{Key: row.str(0), Slot: row.str(1), Type: row.str(2), Host: row.str(3), Token: row.str(4)}
}

func readReservations(rows []reply) []Reservation {
	out := make([]Reservation, 0, len(rows))
	for _, row := range rows {
		out = append(out, readReservation(row))
	}
	return out
}

// splitMember reads <type>|<key>|<slot> of slots:<host>.
func splitMember(member string) (Reservation, bool) {
	parts := strings.Split(member, "|")
	if len(parts) != 3 || stream.CheckKey(parts[1]) != nil {
		return Reservation{}, false
	}
	return Reservation{Type: parts[0], Key: parts[1], Slot: parts[2]}, true
}

func pairs(args []any, values map[string]string) []any {
	args = append(args, len(values))
	for name, value := range values {
		args = append(args, name, value)
	}
	return args
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
