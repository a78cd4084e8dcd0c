package placement

import (
	"fmt"
	"strconv"

	"stream-api/stream"
)

// admits tells whether a class takes streams of this key, and in which tier it is
// asked.
func admits(c Class, key string) (stream.Tier, bool) {
	if c.Rule == nil {
		return 0, false
	}
	return c.Rule.Admits(key)
}

// filtered are the services that take streams of the slot's key; why there is none.
func (v View) filtered(s Instance) (left []Service, why stream.Reason) {
	if len(v.services) == 0 {
		return nil, stream.Because(stream.CodeNoOffer, "type", v.stype)
	}
	var broken []string
	for _, o := range v.services {
		c := v.classes[o.Class]
		if _, ok := admits(c, s.Key); ok {
			left = append(left, o)
		} else if c.Rule == nil && !o.Reason.IsZero() {
			broken = append(broken, v.nonsense(o))
		}
	}
	if len(broken) > 0 {
		return left, stream.Because(stream.CodeNonsense, "broken", list(broken, "; "))
	}
	return left, stream.Because(stream.CodeNoMatch, "type", v.stype, "services", strconv.Itoa(len(v.services)))
}

// nonsense says which service cannot be asked, and why.
func (v View) nonsense(o Service) string {
	return fmt.Sprintf("service:%s:%s takes nothing: %s", v.stype, o.Host, o.Reason)
}
