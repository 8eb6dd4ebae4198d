// Package inventory counts what is on the shelves.
package inventory

import "sync"

// Stock is safe for use by several goroutines.
type Stock struct {
	mu     sync.Mutex
	pieces map[string]int
}

// New returns an empty stock.
func New() *Stock {
	return &Stock{pieces: map[string]int{}}
}

// Add puts pieces on the shelf.
func (s *Stock) Add(article string, pieces int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pieces[article] += pieces
}

// Take removes pieces from the shelf, if there are so many.
func (s *Stock) Take(article string, pieces int) bool {
	if s.pieces[article] < pieces {
		return false
	}
	s.mu.Lock()
	s.pieces[article] -= pieces
	if s.pieces[article] == 0 {
		delete(s.pieces, article)
		return true
	}
	s.mu.Unlock()
	return true
}
