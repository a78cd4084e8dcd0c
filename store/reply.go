package store

import (
	"fmt"
	"strconv"

	"stream-api/stream"
)

// reply is what a script answers: a status word, then strings, integers and
// rows of them. Reading past the end gives zero values; each caller switches
// on the status and treats an unknown one as an error.
type reply []any

func (r reply) status() string { return r.str(0) }

func (r reply) str(i int) string {
	if i >= len(r) {
		return ""
	}
	switch v := r[i].(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

// reason reads why a script answers as it does.
func (r reply) reason(i int) stream.Reason { return stream.ParseReason(r.str(i)) }

// num reads an integer; large ones come as digits in a string.
func (r reply) num(i int) int64 {
	if i >= len(r) {
		return 0
	}
	switch v := r[i].(type) {
	case int64:
		return v
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	return 0
}

// rows reads a list of lists.
func (r reply) rows(i int) []reply {
	if i >= len(r) {
		return nil
	}
	list, ok := r[i].([]any)
	if !ok {
		return nil
	}
	rows := make([]reply, 0, len(list))
	for _, item := range list {
		if row, ok := item.([]any); ok {
			rows = append(rows, row)
		}
	}
	return rows
}

// strs reads a list of strings.
func (r reply) strs(i int) []string {
	if i >= len(r) {
		return nil
	}
	list, ok := r[i].([]any)
	if !ok {
		return nil
	}
	out := make([]string, 0, len(list))
	for j := range list {
		out = append(out, reply(list).str(j))
	}
	return out
}

func (r reply) unexpected(script string) error {
	return fmt.Errorf("%s: %w: status %q", script, ErrReply, r.status())
}
