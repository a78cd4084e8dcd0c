package stream

// Measure says of each instance that has a host how near it is to what its item wishes
// it to be near to. labels are those of a host.
func (s *StreamStatus) Measure(labels func(host string) Labels) {
	leads := map[string]string{} // slot → where it has its lead
	for _, v := range s.Slots {
		if v.Lead && v.State != Pending {
			leads[v.Slot] = v.Host
		}
	}
	for i, v := range s.Slots {
		if v.Host == "" || v.State == Pending {
			continue
		}
		for _, target := range s.Items[v.Slot].Near {
			host, at := leads[target], Labels(s.Labels)
			switch {
			case target == NearSource:
			case host == "":
				continue // it has no place, or is not in the chain
			default:
				at = labels(host)
			}
			if s.Slots[i].Near == nil {
				s.Slots[i].Near = map[string]string{}
			}
			s.Slots[i].Near[target] = Between(v.Host, labels(v.Host), host, at).String()
		}
	}
}

// Far are the slots, or source, that its item wishes it to be near to and that it is far
// from, in the order of the wishes.
func (s StreamStatus) Far(v InstanceStatus) (targets []string) {
	for _, target := range s.Items[v.Slot].Near {
		if v.Near[target] == Far.String() {
			targets = append(targets, target)
		}
	}
	return targets
}
