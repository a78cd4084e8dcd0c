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
	if err := setParallel(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
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

// atOnce is how many networks live at once. Most of a scenario is waiting for
// a lease to lapse, so there may be more than processors; with too many,
// starting children would take what the margins of a short lease leave.
const atOnce = 5

// setParallel has so many scenarios run at once, unless -parallel says else.
func setParallel() error {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", fmt.Sprint(atOnce))
}
