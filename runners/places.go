package runners

import (
	"fmt"
	"maps"
	"sync"

	"stream-api/runners/statedir"
)

// places are the places of the services: which token has which. A place
// is given up once its child is gone and taken over as it was by the next
// life of the runner.
type places struct {
	mu    sync.Mutex
	taken map[string]map[int]string // type → place → token
}

func newPlaces() *places { return &places{taken: map[string]map[int]string{}} }

// take gives the token the lowest free place of its type, the same again if
// it has one.
func (s *places) take(stype, token string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.row(stype)
	for place, who := range row {
		if who == token {
			return place
		}
	}
	place := 0
	for row[place] != "" {
		place++
	}
	row[place] = token
	return place
}

// keep gives a token the place it had in an earlier life. Error: somebody else
// has it.
func (s *places) keep(stype, token string, place int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.row(stype)
	if who := row[place]; who != "" && who != token {
		return fmt.Errorf("place %d of %s is taken by %s", place, stype, who)
	}
	row[place] = token
	return nil
}

// resume gives places to what an earlier life left, and corrects the memos' places. The
// file may list other places now, or in another order. A slot whose variables
// are those of a listed place gets that place; among equal places it keeps its
// number. A slot with other variables, or with none that are known, keeps its
// number too. If that place is taken it gets the lowest free one, beyond the
// list if need be, so that no two slots have one place.
func (s *places) resume(memos []statedir.Memo, places func(stype string) []map[string]string) {
	var others []*statedir.Memo
	for i := range memos {
		m := &memos[i]
		if !m.Ended.IsZero() {
			continue
		}
		if place, ok := s.listed(*m, places(m.Reservation.Type)); ok {
			m.Place = place
			continue
		}
		others = append(others, m)
	}
	for _, m := range others {
		if s.keep(m.Reservation.Type, m.Reservation.Token, m.Place) != nil {
			m.Place = s.take(m.Reservation.Type, m.Reservation.Token)
		}
	}
}

// listed gives a token the free place that has its variables.
func (s *places) listed(m statedir.Memo, places []map[string]string) (place int, ok bool) {
	if m.PlaceVars == nil {
		return 0, false
	}
	try := func(place int) bool {
		return place < len(places) && maps.Equal(places[place], m.PlaceVars) && s.keep(m.Reservation.Type, m.Reservation.Token, place) == nil
	}
	if try(m.Place) {
		return m.Place, true
	}
	for place := range places {
		if try(place) {
			return place, true
		}
	}
	return 0, false
}

// free gives the token's place up; doing so twice changes nothing.
func (s *places) free(stype, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.row(stype)
	for place, who := range row {
		if who == token {
			delete(row, place)
		}
	}
}

func (s *places) row(stype string) map[int]string {
	row := s.taken[stype]
	if row == nil {
		row = map[int]string{}
		s.taken[stype] = row
	}
	return row
}
