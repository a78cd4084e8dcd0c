package realtest

import "testing"

// Program is the path of a program this test cannot do without; debian is the package to install for it.
func Program(t testing.TB, name, debian string) string {
	t.Helper()
	return find(t, name, debian)
}
