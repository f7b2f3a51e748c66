package session

import "sync"

// memo remembers committed values of one table in memory. It never holds what a
// transaction may still undo, nor what a write has overtaken:
//
//   - while a key is being written nothing is stored at all;
//   - a read that began before a write ended does not store its answer;
//   - of two overlapping writes neither stores its value.
//
// generation moves with every begin and end of a write; whoever wants to store
// proves that it has not moved meanwhile.
type memo[K comparable, V any] struct {
	mu         sync.Mutex
	limit      int
	fits       func(V) bool // nil: every value does
	values     map[K]V
	writers    int
	generation uint64
}

func newMemo[K comparable, V any](limit int) *memo[K, V] {
	return &memo[K, V]{limit: limit, values: make(map[K]V)}
}

// get returns the value, or a ticket for fill when it has to be read.
func (m *memo[K, V]) get(key K) (v V, ok bool, ticket uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok = m.values[key]
	return v, ok, m.generation
}

// fill stores what was read since get gave the ticket.
func (m *memo[K, V]) fill(key K, v V, ticket uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writers == 0 && m.generation == ticket {
		m.put(key, v)
	}
}

// write forgets the keys that match for the time of a write. The caller calls the
// function it returns when the write is committed or undone.
func (m *memo[K, V]) write(match func(K) bool) (end func()) {
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

// set writes one key with commit and remembers the value when that succeeds.
func (m *memo[K, V]) set(key K, v V, commit func() error) error {
	return m.setAll(map[K]V{key: v}, commit)
}

// setAll is set for several keys.
func (m *memo[K, V]) setAll(values map[K]V, commit func() error) error {
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

// replace remembers a value that is committed and that nothing has overtaken. While
// something is being written the key is only forgotten.
func (m *memo[K, V]) replace(key K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.generation++
	if delete(m.values, key); m.writers == 0 {
		m.put(key, v)
	}
}

// forget drops everything, and the room it took.
func (m *memo[K, V]) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.generation++
	m.values = make(map[K]V)
}

// put makes room by dropping any one value: all of them can be read again.
func (m *memo[K, V]) put(key K, v V) {
	if m.fits != nil && !m.fits(v) {
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
