package config

// Identity names the keys that make a host's running slots its own. A host
// that keeps its children over a reload cannot change them.
var Identity = []string{"network.name", "network.redis", "network.namespace", "state_dir"}

// Diff lists the keys of Identity in which the two differ, in that order. The
// URL of Redis is compared as written: a changed secret behind ${file:…} is no
// other store.
func Diff(running, next *Config) []string {
	differ := []bool{
		running.Network.Name != next.Network.Name,
		running.Network.Redis.String() != next.Network.Redis.String(),
		running.Network.Namespace != next.Network.Namespace,
		running.StateDir != next.StateDir,
	}
	var changed []string
	for i, d := range differ {
		if d {
			changed = append(changed, Identity[i])
		}
	}
	return changed
}
