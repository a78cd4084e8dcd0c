package lua

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var goFunction = regexp.MustCompile(`(?m)^func (?:\(\w+ \*?\w+\) )?(\w+)`)

// TestOneOperationHasOneName: script x is run by store/x.go alone, in a function
// whose name says x, so that who reads one finds the other.
func TestOneOperationHasOneName(t *testing.T) {
	t.Parallel()
	for name := range scripts(t) {
		raw, err := os.ReadFile("../store/" + name + ".go")
		if err != nil {
			t.Errorf("%s.lua has no Go file of its name: %v", name, err)
			continue
		}
		text := string(raw)
		heads := goFunction.FindAllStringSubmatchIndex(text, -1)
		found := false
		for i, h := range heads {
			end := len(text)
			if i+1 < len(heads) {
				end = heads[i+1][0]
			}
			called := strings.ToLower(text[h[2]:h[3]])
			found = found || strings.Contains(called, name) && strings.Contains(text[h[0]:end], `"`+name+`"`)
		}
		if !found {
			t.Errorf("store/%s.go runs %s.lua in no function that is called so", name, name)
		}
	}
}
