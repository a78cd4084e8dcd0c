package store

import "stream-api/stream"

// Reservation is an instance of a slot given to a host under a fencing token.
type Reservation struct {
	Key      string // of the stream
	Instance string // the name of an instance of the slot
	Type     string // of the service
	Host     string
	Token    string // unique, compared by equality
}

// Holder is one life of a host: who speaks.
type Holder struct {
	Host        string
	Incarnation string
}

func readReservation(row reply) Reservation {
	return Reservation{Key: row.str(0), Instance: row.str(1), Type: row.str(2), Host: row.str(3), Token: row.str(4)}
}

func readReservations(rows []reply) []Reservation {
	out := make([]Reservation, 0, len(rows))
	for _, row := range rows {
		out = append(out, readReservation(row))
	}
	return out
}

// splitMember reads a row of slots:<host>.
func splitMember(member string) (Reservation, bool) {
	kind, key, instance, ok := stream.SplitRow(member)
	return Reservation{Type: kind, Key: key, Instance: instance}, ok
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
