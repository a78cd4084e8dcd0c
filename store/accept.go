package store

import "context"

// AcceptRules puts the rules of a host's file in force and gives their version. Already: the file says what is in force,
// or the host does not poll the source; v is what is in force then. Error: *HoldError.
func (s *Store) AcceptRules(ctx context.Context, source, host string) (v Ruling, already bool, err error) {
	r, err := s.call(ctx, "accept", source, host, differsFresh.Milliseconds())
	if err != nil {
		return Ruling{}, false, err
	}
	switch r.status() {
	case "ok":
		return Ruling{Version: r.num(1), By: host}, false, nil
	case "agrees":
		return Ruling{Version: r.num(1), By: r.str(2)}, true, nil
	case "hold":
		return Ruling{}, false, &HoldError{Reason: r.reason(1)}
	}
	return Ruling{}, false, r.unexpected("accept")
}
