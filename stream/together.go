package stream

// Join says of each instance that is apart from the other copies of its slot with which of them it shares
// a host after all, or the value of the label by which they are apart. labels are those of a host; anyway is the
// host that an operator lets an instance share with others, and who said so.
func (s *StreamStatus) Join(labels func(host string) Labels, anyway func(instance string) (host, by string)) {
	for i, v := range s.Slots {
		by := s.Items[v.Slot].Apart
		if by == "" || v.Host == "" || v.State == Stopping {
			continue
		}
		for k, o := range s.Slots {
			if k == i || o.Slot != v.Slot || o.Host == "" || o.State == Stopping || o.Copy == v.Copy {
				continue // one of the same copy is to take its place
			}
			if o.Host != v.Host && (by == ApartHost || labels(v.Host)[by] == "" || labels(v.Host)[by] != labels(o.Host)[by]) {
				continue
			}
			if s.Slots[i].Together == nil {
				s.Slots[i].Together = &TogetherStatus{}
			}
			t := s.Slots[i].Together
			t.With = append(t.With, o.Name)
			for _, one := range []InstanceStatus{v, o} {
				if host, who := anyway(one.Instance); host == one.Host && t.By == "" {
					t.By = who
				}
			}
		}
	}
}
