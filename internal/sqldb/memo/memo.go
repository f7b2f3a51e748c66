// Package memo caches the content of database rows in memory, for tables that no other process
// writes.
//
// A memo never holds a value that a transaction may still undo, nor one that a write has replaced:
//
//   - while a key is being written, nothing is stored at all;
//   - a read that began before a write ended does not store its answer;
//   - of two overlapping writes, neither stores its value.
//
// It holds a limited number of values and may drop any of them, because all can be read again.
package memo

import "sync"

// Memo caches the values of one table. Its methods are safe for concurrent use.
//
// generation changes when a write begins and when it ends. A value is stored only if generation has
// not changed since the value was read or written.
type Memo[K comparable, V any] struct {
	Fits func(V) bool // whether a value is worth its memory; nil: every value is. Set it before the first use

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

// Get returns the cached value, or a ticket for Fill when the value has to be read.
func (m *Memo[K, V]) Get(key K) (v V, ok bool, ticket uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok = m.values[key]
	return v, ok, m.generation
}

// Fill stores a value that was read after Get returned the ticket, unless a write began or ended
// since then.
func (m *Memo[K, V]) Fill(key K, v V, ticket uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writers == 0 && m.generation == ticket {
		m.put(key, v)
	}
}

// Write drops the matching keys and lets nothing be stored during a write. The caller calls end
// when the write is committed or undone.
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

// Drop drops the matching keys. It is for a write whose end the caller does not wait for: the
// caller calls Drop when it writes and again when the write is committed.
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

// Replace stores a value that is committed and that no later write has replaced. While a write is
// running it only drops the key.
func (m *Memo[K, V]) Replace(key K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.generation++
	if delete(m.values, key); m.writers == 0 {
		m.put(key, v)
	}
}

// Forget drops all values and frees their memory.
func (m *Memo[K, V]) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.generation++
	m.values = make(map[K]V)
}

// put drops an arbitrary value when the memo is full: all can be read again.
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
