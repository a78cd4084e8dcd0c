package sources

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
)

// digest tells configurations apart that announce different things. Two hosts
// that poll one source must agree in it: else each would announce over what
// the other said, at every poll.
func (c *Config) digest() string {
	type rule struct {
		Match    string
		Chain    []string
		Priority *int
		Vars     map[string]string
	}
	rules := make([]rule, 0, len(c.Rules))
	for _, r := range c.Rules {
		rules = append(rules, rule{pattern(r.Match), r.Chain, r.Priority, r.Vars})
	}
	text, err := json.Marshal([]any{
		c.Pull, c.Strip, c.Mounts, c.Command, pattern(c.Match), c.Chain, c.Priority, c.Rank, rules, c.SourceVars,
	})
	if err != nil {
		panic(err) // texts, numbers and lists of them always marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:4])
}

func pattern(r *regexp.Regexp) string {
	if r == nil {
		return ""
	}
	return r.String()
}
