package placement

import "stream-api/stream"

// siblingsAt is how many other copies of the slot are where a label is as here, if its
// item wishes copies to be spread over the values of one. A host without the label
// stands alone.
func (s Instance) siblingsAt(labels stream.Labels) int {
	if value, has := labels[s.Spread]; has {
		return s.Siblings[value]
	}
	return 0
}
