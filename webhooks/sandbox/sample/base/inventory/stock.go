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
