package store

import (
	"sync/atomic"
)

type janitor struct {
	ledgerFull atomic.Bool
}

// Start begins the janitor.
func (s *Store) Start() {}

// Stop ends it.
func (s *Store) Stop() {}
