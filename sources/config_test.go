package sources

import (
	"strings"
	"testing"
)

func TestAWrongURLRepeatsNothingOfItsPassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://u:gehe/im@h:8000", "http://u:gehe%im@h", "http://u:geheim@h:x", "ftp://u:geheim@h", "u:geheim@h:8000"} {
		_, err := New(timed(Config{Name: "x", URL: url, Chain: []string{"dist"}}), Deps{})
		if err == nil || strings.Contains(err.Error(), "gehe") {
			t.Errorf("%s: %v; want an error without the password", url, err)
		}
	}
}
