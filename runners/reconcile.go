package runners

import (
	"cmp"
	"slices"

	"stream-api/store"
	"stream-api/stream"
)

// held is what this host has under a token, as reconcile sees it. It was
// written down before the store was asked.
type held struct {
	Reservation store.Reservation
	// Settled: the claim was answered before the store was asked, so that
	// the store must know of it.
	Settled bool
	// Ending: it is on its way to its release and needs no advice.
	Ending bool
}

// deed is what there is to do about one token.
type deed int

const (
	// claim: it was placed here.
	claim deed = iota
	// release: the store counts it as ours, and nothing of it lives here.
	release
	// stop: it is not wanted any more.
	stop
	// move: an operator or a drain wants it elsewhere.
	move
	// confirm: it is ours and should run.
	confirm
	// assert: we run it, and the store does not say so.
	assert
)

type action struct {
	Do     deed
	Token  string
	Record store.InstanceRecord // zero for assert of what the store does not list
}

// reconcile compares what the store says this host holds with what it has.
// Tokens tell, never names: a name is given again, a token never.
// buried are tokens that never start again; leaving: nothing is taken up.
//
// Safety: it never proposes claim for a buried token, nor an end for what it
// cannot see as settled. Liveness: each record and each settled token gets
// exactly one deed, unless it is ending.
func reconcile(records []store.InstanceRecord, have map[string]held, buried func(token string) bool, leaving bool) []action {
	records = slices.Clone(records)
	slices.SortFunc(records, func(a, b store.InstanceRecord) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.Token, b.Token))
	})
	var todo []action
	listed := map[string]bool{}
	for _, r := range records {
		if r.Token == "" || listed[r.Token] {
			continue // edited by hand
		}
		listed[r.Token] = true
		if do, ok := judge(r, have, buried, leaving); ok {
			todo = append(todo, action{Do: do, Token: r.Token, Record: r})
		}
	}
	var unlisted []string
	for token, h := range have {
		if !listed[token] && h.Settled && !h.Ending {
			unlisted = append(unlisted, token)
		}
	}
	slices.Sort(unlisted)
	for _, token := range unlisted {
		todo = append(todo, action{Do: assert, Token: token})
	}
	return todo
}

// judge decides about one record.
func judge(r store.InstanceRecord, have map[string]held, buried func(string) bool, leaving bool) (deed, bool) {
	h, ok := have[r.Token]
	switch {
	case !ok && (r.State == stream.Assigned || r.State == stream.Running || r.State == stream.Stopping):
		// One token is one life: what ran under it and is gone does not
		// come back, it is placed anew.
		if r.State == stream.Assigned && !leaving && !buried(r.Token) {
			return claim, true
		}
		return release, true
	case !ok || h.Ending:
		return 0, false
	case r.State == stream.Stopping:
		return stop, true
	case r.State == stream.Assigned && h.Settled:
		return assert, true // the store was set back to before the claim
	case r.State == stream.Running && r.Move != "" && h.Settled && r.Follows == "":
		return move, true // of a successor the field names where it was placed
	case r.State == stream.Running:
		return confirm, true
	}
	return 0, false
}
