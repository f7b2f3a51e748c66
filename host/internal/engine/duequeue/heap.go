package duequeue

// heap is a binary heap whose items know their index, so that any of them can be moved or
// taken out.
type heap[T any] struct {
	items []T
	less  func(a, b T) bool
	moved func(item T, index int)
}

func (h *heap[T]) push(item T) {
	h.items = append(h.items, item)
	h.moved(item, len(h.items)-1)
	h.up(len(h.items) - 1)
}

func (h *heap[T]) remove(i int) {
	last := len(h.items) - 1
	h.swap(i, last)
	var none T
	h.items[last] = none
	h.items = h.items[:last]
	if i < last {
		h.fix(i)
	}
}

// fix moves an item that has changed to its new place.
func (h *heap[T]) fix(i int) {
	if !h.down(i) {
		h.up(i)
	}
}

func (h *heap[T]) swap(i, j int) {
	if i == j {
		return
	}
	h.items[i], h.items[j] = h.items[j], h.items[i]
	h.moved(h.items[i], i)
	h.moved(h.items[j], j)
}

func (h *heap[T]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(h.items[i], h.items[parent]) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *heap[T]) down(i int) (moved bool) {
	for {
		first, left, right := i, 2*i+1, 2*i+2
		if left < len(h.items) && h.less(h.items[left], h.items[first]) {
			first = left
		}
		if right < len(h.items) && h.less(h.items[right], h.items[first]) {
			first = right
		}
		if first == i {
			return moved
		}
		h.swap(i, first)
		i, moved = first, true
	}
}
