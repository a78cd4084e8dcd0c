package stream

import (
	"strconv"
	"strings"
)

// Issued is when a token was issued, the store's ms: its number is the store's clock in µs.
// 0: that is not known.
func Issued(token string) int64 {
	number, _, _ := strings.Cut(token, "-")
	us, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0
	}
	return us / 1000
}
