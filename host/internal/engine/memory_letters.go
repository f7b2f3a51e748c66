package engine

import (
	"bytes"
	"context"
	"slices"
)

// memoryLetters is the part of a Memory that belongs to no run. Its owner's lock guards it.
type memoryLetters struct {
	cursors map[string][]byte
	dead    []DeadLetter // oldest first
}

func (l *memoryLetters) putCursor(c Cursor) {
	if c.Subscription != "" {
		l.cursors[c.Subscription] = bytes.Clone(c.Value)
	}
}

func (l *memoryLetters) find(id string) int {
	return slices.IndexFunc(l.dead, func(d DeadLetter) bool { return d.ID == id })
}

func (l *memoryLetters) drop(id string) {
	l.dead = slices.DeleteFunc(l.dead, func(d DeadLetter) bool { return d.ID == id })
}

// Cursor implements Log.
func (m *Memory) Cursor(_ context.Context, subscription string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.letters.cursors[subscription], nil
}

// PutCursor implements Log.
func (m *Memory) PutCursor(_ context.Context, c Cursor) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.letters.putCursor(c)
	return nil
}

// DropCursor implements Log.
func (m *Memory) DropCursor(_ context.Context, subscription string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.letters.cursors, subscription)
	return nil
}

// Bury implements Log.
func (m *Memory) Bury(_ context.Context, l DeadLetter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.letters.drop(l.ID)
	m.letters.dead = append(m.letters.dead, l)
	if over := len(m.letters.dead) - MaxDeadLetters; over > 0 {
		m.letters.dead = slices.Delete(m.letters.dead, 0, over)
	}
	return nil
}

// DeadLetters implements Log.
func (m *Memory) DeadLetters(_ context.Context, after string, limit int) ([]DeadLetter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	from := len(m.letters.dead)
	if after != "" {
		if from = m.letters.find(after); from < 0 {
			return nil, ErrNotFound
		}
	}
	var out []DeadLetter
	for i := from - 1; i >= 0 && len(out) < limit; i-- {
		out = append(out, m.letters.dead[i])
	}
	return out, nil
}

// DeadLetter implements Log.
func (m *Memory) DeadLetter(_ context.Context, id string) (DeadLetter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.letters.find(id)
	if i < 0 {
		return DeadLetter{}, ErrNotFound
	}
	return m.letters.dead[i], nil
}

// DropDeadLetter implements Log.
func (m *Memory) DropDeadLetter(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.letters.drop(id)
	return nil
}
