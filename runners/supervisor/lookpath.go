package supervisor

// LookPath finds a program as a supervisor with this environment would: an absolute path as it is, a name in its PATH.
func LookPath(name string, env []string) (string, error) { return lookPath(name, env) }
