package chaos

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"stream-api/internal/realrun"
)

// long runs every scenario at its full length and number.
var long = flag.Bool("chaos.long", false, "run at full length")

func TestMain(m *testing.M) {
	realrun.ChildMain()
	flag.Parse()
	code := m.Run()
	if err := printReport(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	if err := realrun.Clean(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}
