package program

import "os"

// Inherited are the only variables of this process, as NAME=value, that a program
// it starts may see.
func Inherited() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "LANG", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
