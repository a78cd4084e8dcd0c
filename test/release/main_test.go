package release

import (
	"fmt"
	"os"
	"testing"

	"stream-api/internal/realrun"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := realrun.Clean(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}
