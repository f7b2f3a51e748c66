// Package memo remembers in memory what rows of a database say, for a process that nobody else writes them beside.
//
// A memo never holds what a transaction may still undo, nor what a write has overtaken:
//
//   - while a key is being written nothing is stored at all;
//   - a read that began before a write ended does not store its answer;
//   - of two overlapping writes neither stores its value.
//
// It holds so many values as it is made for, and may drop any of them: all can be read again.
package memo

import "sync"

// Memo is the values of one table. Its methods are safe for concurrent use.
//
// generation moves with every begin and end of a write; whoever wants to store proves that it has not moved meanwhile.
type Memo[K comparable, V any] struct {
	Fits func(V) bool // what is worth the room; nil: every value. It is set before the first use

	mu         sync.Mutex
	limit      int
	values     map[K]V
	writers    int
	generation uint64
}

// New returns an empty memo that holds up to limit values.
func New[K comparable, V any](limit int) *Memo[K, V] {
	return &Memo[K, V]{limit: limit, values: make(map[K]V)}
}

// Get returns the value, or a ticket for Fill when it has to be read.
func (m *Memo[K, V]) Get(key K) (v V, ok bool, ticket uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok = m.values[key]
	return v, ok, m.generation
}

// Fill stores what was read since Get gave the ticket.
func (m *Memo[K, V]) Fill(key K, v V, ticket uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writers == 0 && m.generation == ticket {
		m.put(key, v)
	}
}

// Write forgets the keys that match for the time of a write. The caller calls the
// function it returns when the write is committed or undone.
func (m *Memo[K, V]) Write(match func(K) bool) (end func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.values {
		if match(k) {
			delete(m.values, k)
		}
	}
	m.writers++
	m.generation++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.writers--
		m.generation++
	}
}

// Drop forgets the keys that match. It is for a write that has no end to wait for: the caller drops what it overtook both as it
// writes and when that is committed.
func (m *Memo[K, V]) Drop(match func(K) bool) { m.Write(match)() }

// Set writes one key with commit and remembers the value when that succeeds.
func (m *Memo[K, V]) Set(key K, v V, commit func() error) error {
	return m.SetAll(map[K]V{key: v}, commit)
}

// SetAll is Set for several keys.
func (m *Memo[K, V]) SetAll(values map[K]V, commit func() error) error {
	if len(values) == 0 {
		return commit()
	}
	m.mu.Lock()
	for key := range values {
		delete(m.values, key)
	}
	m.writers++
	m.generation++
	begun := m.generation
	m.mu.Unlock()
	err := commit()
	m.mu.Lock()
	defer m.mu.Unlock()
	alone := m.writers == 1 && m.generation == begun
	m.writers--
	m.generation++
	if err == nil && alone {
		for key, v := range values {
			m.put(key, v)
		}
	}
	return err
}

// Replace remembers a value that is committed and that nothing has overtaken. While
// something is being written the key is only forgotten.
func (m *Memo[K, V]) Replace(key K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.generation++
	if delete(m.values, key); m.writers == 0 {
		m.put(key, v)
	}
}

// Forget drops everything, and the room it took.
func (m *Memo[K, V]) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.generation++
	m.values = make(map[K]V)
}

// put makes room by dropping any one value: all of them can be read again.
func (m *Memo[K, V]) put(key K, v V) {
	if m.Fits != nil && !m.Fits(v) {
		return
	}
	if len(m.values) >= m.limit {
		for k := range m.values {
			delete(m.values, k)
			break
		}
	}
	m.values[key] = v
}
