package flow

import (
	"errors"
	"fmt"
	"math"
	"reflect"
)

// maxWork is the maximum cost of all expressions of one node together. A unit is about a byte read
// or written, or one step of a loop; a pattern costs its size for every byte of the text. Counting
// units bounds both memory and time.
const maxWork = 4 << 20

var (
	errWork = fmt.Errorf("the expressions of this node cost more than the %d units they may: use smaller values or fewer steps", maxWork)
	errDeep = fmt.Errorf("a value nests more than %d deep", MaxDepth)
)

// meter holds what is left of maxWork during one evaluation.
type meter struct{ left int }

func newMeter() *meter { return &meter{left: maxWork} }

// spend charges units before the work is done.
func (m *meter) spend(units int) error {
	if units < 0 || units > m.left {
		m.left = 0
		return errWork
	}
	m.left -= units
	return nil
}

// measure returns the cost of walking values completely. It stops when the cost exceeds what is
// left.
func (m *meter) measure(values ...any) (int, error) {
	c := meter{left: m.left}
	for _, v := range values {
		if err := c.walk(v, 0); err != nil {
			if errors.Is(err, errWork) {
				m.left = 0
			}
			return 0, err
		}
	}
	return m.left - c.left, nil
}

// Costs of an item of a list and of a member of an object.
const (
	perItem   = 16
	perMember = 64
)

func (m *meter) walk(v any, depth int) error {
	if depth > MaxDepth {
		return errDeep
	}
	switch v := v.(type) {
	case nil, bool, int, float64:
		return m.spend(1)
	case string:
		return m.spend(1 + len(v))
	case []any:
		if err := m.spend(perItem * (1 + len(v))); err != nil {
			return err
		}
		for _, item := range v {
			if err := m.walk(item, depth+1); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		if err := m.spend(perMember * (1 + len(v))); err != nil {
			return err
		}
		for k, member := range v {
			if err := m.spend(len(k)); err != nil {
				return err
			}
			if err := m.walk(member, depth+1); err != nil {
				return err
			}
		}
		return nil
	default:
		return m.walkOther(reflect.ValueOf(v), depth)
	}
}

// walkOther walks the values that expr-lang creates in addition to those of JSON, such as []string
// and map[any][]any.
func (m *meter) walkOther(v reflect.Value, depth int) error {
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		if err := m.spend(perItem * (1 + v.Len())); err != nil {
			return err
		}
		for i := range v.Len() {
			if err := m.walk(v.Index(i).Interface(), depth+1); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		if err := m.spend(perMember * (1 + v.Len())); err != nil {
			return err
		}
		for it := v.MapRange(); it.Next(); {
			if err := m.walk(it.Key().Interface(), depth+1); err != nil {
				return err
			}
			if err := m.walk(it.Value().Interface(), depth+1); err != nil {
				return err
			}
		}
		return nil
	default:
		return m.spend(perItem)
	}
}

// length returns the number of bytes or members of a value, without walking it.
func length(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case []any:
		return len(v)
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return r.Len()
	default:
		return 0
	}
}

// mul multiplies counts; on overflow it returns the largest int.
func mul(a, b int) int {
	if a > 0 && b > math.MaxInt/a {
		return math.MaxInt
	}
	return a * b
}

// add adds counts; on overflow it returns the largest int.
func add(a, b int) int {
	if b > math.MaxInt-a {
		return math.MaxInt
	}
	return a + b
}
