package sources

import (
	"crypto/sha256"
	"encoding/hex"
)

// digest tells configurations apart that announce different things under the same rules, as they differ in what ${host:…}
// stands for. Two hosts that poll one source must agree in it: else each would announce over what the other said, at every
// poll.
func (c *Config) digest() string { return shortDigest([]any{c.Pull, c.SourceVars, c.rank, c.Labels}) }

// asked is the address of what is asked, of a command its digest: its arguments may hold secrets.
func (c *Config) asked() string {
	if c.Plugin == PluginExec {
		return "command " + shortDigest(c.Command)
	}
	return c.URL
}

func shortDigest(v any) string {
	sum := sha256.Sum256([]byte(asJSON(v)))
	return hex.EncodeToString(sum[:4])
}
