package runners

import (
	"fmt"
	"sync"
)

// seats are the places of the services: which token sits on which. A place
// is given up once its child is gone and taken over as it was by the next
// life of the runner.
type seats struct {
	mu    sync.Mutex
	taken map[string]map[int]string // type → place → token
}

func newSeats() *seats { return &seats{taken: map[string]map[int]string{}} }

// take gives the token the lowest free place of its type, the same again if
// it has one.
func (s *seats) take(stype, token string) int {
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

// keep seats a token where it sat in an earlier life. Error: somebody else
// sits there.
func (s *seats) keep(stype, token string, place int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.row(stype)
	if who := row[place]; who != "" && who != token {
		return fmt.Errorf("place %d of %s is taken by %s", place, stype, who)
	}
	row[place] = token
	return nil
}

// free gives the token's place up; doing so twice changes nothing.
func (s *seats) free(stype, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.row(stype)
	for place, who := range row {
		if who == token {
			delete(row, place)
		}
	}
}

func (s *seats) row(stype string) map[int]string {
	row := s.taken[stype]
	if row == nil {
		row = map[int]string{}
		s.taken[stype] = row
	}
	return row
}
