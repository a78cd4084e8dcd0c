package sources

import (
	"fmt"
	"maps"
	"slices"

	"stream-api/store"
	"stream-api/stream"
)

// view is one good answer after every mount was judged.
type view struct {
	present map[string]*verdict // the mounts to announce, by key
	bytes   map[string]int64    // of those whose server says so, if this answer does
	earlier map[string]bool     // those of which this answer says nothing
	partial bool                // see listing
	ended   map[string]bool     // keys of listing.ended
	ignored int
	refused int
	example string
	over    int    // new keys beyond what the source may announce
	overOf  string // one of them
}

// refuse counts a mount that may not be announced.
func (v *view) refuse(why string) {
	v.refused++
	if v.example == "" {
		v.example = why
	}
}

// survey sorts the verdicts of one listing, one a mount. What a slot of another stream
// publishes is refused.
func survey(l listing, verdicts []*verdict, own Outputs) view {
	v := view{
		present: make(map[string]*verdict, len(verdicts)), bytes: make(map[string]int64),
		earlier: make(map[string]bool, l.carried), partial: l.partial,
	}
	if l.unreadable > 0 {
		v.refused, v.example = l.unreadable, l.example
	}
	for i, one := range verdicts {
		switch {
		case one.ignored:
			v.ignored++
		case one.refused != "":
			v.refuse(one.refused)
		case v.present[one.key] != nil:
			v.refuse(fmt.Sprintf("stream %s is listed twice; the first is used", one.key))
		default:
			if why := loop(one, own); why != "" {
				v.refuse(why)
				continue
			}
			v.present[one.key] = one
			if i >= len(verdicts)-l.carried {
				v.earlier[one.key] = true
			} else if n := l.mounts[i].Bytes; n >= 0 {
				v.bytes[one.key] = n
			}
		}
	}
	return v
}

// bound takes out new keys, the last by name, beyond the number that the source
// may announce. Those that are announced stay, listed or not, until they are gone.
func (v *view) bound(known store.AnnouncedSet, most int) {
	fresh := 0
	for key := range v.present {
		if _, announced := known.Entries[key]; !announced {
			fresh++
		}
	}
	room := max(0, most-len(known.Entries))
	if fresh <= room {
		return
	}
	names := make([]string, 0, fresh)
	for key := range v.present {
		if _, announced := known.Entries[key]; !announced {
			names = append(names, key)
		}
	}
	slices.Sort(names)
	v.over, v.overOf = fresh-room, names[room]
	for _, key := range names[room:] {
		delete(v.present, key)
		delete(v.bytes, key)
		delete(v.earlier, key)
	}
}

// loop says why announcing the stream would feed our own output back to us.
func loop(v *verdict, own Outputs) string {
	if len(own) == 0 {
		return ""
	}
	for _, at := range v.places {
		for _, publisher := range own[at] {
			if publisher != v.key {
				return fmt.Sprintf("stream %s would be a loop: a slot of %s publishes %s at %s; exclude it with match", v.key, publisher, at.Name, at.Host)
			}
		}
	}
	return ""
}

// difference fills in what the store must be told: what is new or changed
// against the announced set, what is missing, and what is back.
func difference(v view, known store.AnnouncedSet) (upsert map[string]string, absent, back []string) {
	for key, one := range v.present {
		if stored := known.Entries[key]; stored != one.encoded {
			if encoded := keepSession(one, stored); encoded != stored {
				if upsert == nil {
					upsert = make(map[string]string)
				}
				upsert[key] = encoded
			}
		}
		if len(known.Missing) > 0 {
			if _, missing := known.Missing[key]; missing {
				back = append(back, key)
			}
		}
	}
	for key := range known.Entries {
		if v.present[key] == nil && (!v.partial || v.ended[key]) {
			absent = append(absent, key)
		}
	}
	slices.Sort(absent)
	slices.Sort(back)
	return upsert, absent, back
}

// keepSession is the announcement to store over what is stored. Not every
// answer of every server names the session; where this one does not, the known
// one stands, so that it does not look like a new publication.
func keepSession(v *verdict, stored string) string {
	if v.announcement.Session != "" || stored == "" {
		return v.encoded
	}
	old, err := stream.DecodeAnnouncement(stored)
	if err != nil || old.Session == "" {
		return v.encoded // what somebody spoiled by hand is written anew
	}
	kept := v.announcement
	kept.Session = old.Session
	return kept.Encode()
}

// applied is the announced set after the store took a difference.
func applied(known store.AnnouncedSet, p store.Poll, r store.PollResult) store.AnnouncedSet {
	if known.Entries == nil {
		known.Entries = make(map[string]string)
	}
	if known.Missing == nil {
		known.Missing = make(map[string]int64)
	}
	known.Version = r.Version
	maps.Copy(known.Entries, p.Upsert)
	for _, key := range p.Back {
		delete(known.Missing, key)
	}
	for _, key := range p.Absent {
		if _, missing := known.Missing[key]; !missing {
			known.Missing[key] = r.Now
		}
	}
	for _, key := range r.Gone {
		delete(known.Entries, key)
		delete(known.Missing, key)
	}
	return known
}
