package sources

import (
	"slices"

	"stream-api/store"
	"stream-api/stream"
)

// Foresight is what would become of a source if a host took its file up now.
type Foresight struct {
	// Same: the file says what is in force, or nothing is in force yet.
	Same bool
	// Wins: the file's rules would come into force. Otherwise it would only differ.
	Wins bool
	// What is how it differs, in words.
	What string
	// after tells what is said of a stream that is announced now, under the file's rules; false: it would be gone.
	after func(key string) (stream.Announcement, bool)
}

// Foresee holds the rules of a configuration against those in force, as a host would that remembers m.
func Foresee(cfg Config, in store.Ruling, m *Memory) (Foresight, error) {
	own := cfg.rules()
	cfg, err := cfg.complete()
	if err != nil {
		return Foresight{}, err
	}
	if in.Version == 0 || in.Digest == RulesDigest(own.Encode()) {
		return Foresight{Same: true}, nil
	}
	was, err := DecodeRules(in.Text)
	if err != nil {
		return Foresight{}, err
	}
	remembered, err := m.load(cfg.Name)
	if err != nil {
		return Foresight{}, err
	}
	agreed := remembered.Agreed
	return Foresight{
		What: was.Differences(own), Wins: cfg.RulesVersion > in.Version || agreed.Version == in.Version && agreed.Digest == in.Digest,
		after: func(key string) (stream.Announcement, bool) {
			m, listed := stream.Mount{Key: was.Strip + key}, true
			if cfg.Plugin == PluginStatic {
				m = stream.Mount{Key: key}
				listed = slices.ContainsFunc(cfg.Mounts, func(m stream.Mount) bool { return m.Key == key })
			}
			v := cfg.judge(m)
			return v.announcement, listed && v.key == key && !v.ignored && v.refused == ""
		},
	}, nil
}

// Stops are the slots that the file's rules would take from a stream of the source that runs now.
func (f Foresight) Stops(s stream.StreamStatus) []stream.InstanceStatus {
	if !f.Wins {
		return nil
	}
	a, stays := f.after(s.Key)
	var out []stream.InstanceStatus
	for _, instance := range s.Slots {
		if instance.State == stream.Running && (!stays || !slices.Contains(a.Chain, instance.Slot) || a.Items.Type(instance.Slot) != instance.Type) {
			out = append(out, instance)
		}
	}
	return out
}
