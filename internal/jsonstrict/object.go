package jsonstrict

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxFaults bounds what Read reports: a longer list helps nobody.
const maxFaults = 20

// Object hands out the members of one JSON object by name and collects what is
// wrong with them. A missing member and null both leave the target as it is.
type Object struct {
	pointer string
	value   *Value
	asked   []string
	report  *report
}

type report struct{ faults []Error }

func (r *report) add(e Error) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, e)
	}
}

// Read reads data, which must be one JSON object, and lets fill take what it
// wants from it. Members that fill did not ask for are faults. It returns nil if
// all is well, and at most 20 faults.
func Read(data []byte, l Limits, fill func(*Object)) []Error {
	root, err := Parse(data, l)
	if err != nil {
		return []Error{*err}
	}
	if root.Kind != KindObject {
		return []Error{{Code: WrongType, Message: "it must be an object, not " + root.describe()}}
	}
	r := &report{}
	collect(&Object{value: root, report: r}, fill)
	return r.faults
}

func collect(o *Object, fill func(*Object)) {
	fill(o)
	for _, name := range o.value.Names {
		if !slices.Contains(o.asked, name) {
			o.report.add(Error{Code: UnknownMember, Pointer: o.at(name), Message: "unknown member " + quote(name), Suggestion: o.suggest(name)})
		}
	}
}

// String takes a text, and reports whether there was one.
func (o *Object) String(name string, target *string) bool {
	v := o.take(name)
	switch {
	case v == nil:
	case v.Kind == KindString:
		*target = v.Text
		return true
	case v.Kind == KindNumber:
		o.wrong(name, "a string", v, "put it in quotes")
	default:
		o.wrong(name, "a string", v, "")
	}
	return false
}

// Bool takes true or false.
func (o *Object) Bool(name string, target *bool) {
	v := o.take(name)
	switch {
	case v == nil:
	case v.Kind == KindTrue, v.Kind == KindFalse:
		*target = v.Kind == KindTrue
	default:
		o.wrong(name, "true or false", v, "")
	}
}

// Int takes a whole number; 3.0 and 3e0 are whole, as in JSON Schema. A number beyond 32 bits
// becomes the nearest one within, which the caller's own limits then refuse. It reports whether
// there was a number.
func (o *Object) Int(name string, target *int) bool {
	v := o.take(name)
	if v == nil {
		return false
	}
	if v.Kind == KindNumber {
		f, err := strconv.ParseFloat(v.Text, 64)
		if err == nil && f == math.Trunc(f) {
			*target = int(min(max(f, math.MinInt32), math.MaxInt32))
			return true
		}
	}
	o.wrong(name, "a whole number", v, "")
	return false
}

// OptionalInt is Int for a member whose absence does not mean 0.
func (o *Object) OptionalInt(name string, target **int) {
	if o.take(name) != nil {
		*target = new(int)
		o.Int(name, *target)
	}
}

// Strings takes an array of texts.
func (o *Object) Strings(name string, target *[]string) {
	for i, item := range o.array(name) {
		if item.Kind != KindString {
			o.wrongItem(name, i, "a string", &item)
			continue
		}
		*target = append(*target, item.Text)
	}
}

// Object takes a nested object, whose members fill takes.
func (o *Object) Object(name string, fill func(*Object)) {
	v := o.take(name)
	switch {
	case v == nil:
	case v.Kind != KindObject:
		o.wrong(name, "an object", v, "")
	default:
		collect(&Object{pointer: o.at(name), value: v, report: o.report}, fill)
	}
}

// Each takes an array of objects: grow is called with the length, then fill with
// each position and object.
func (o *Object) Each(name string, grow func(n int), fill func(i int, item *Object)) {
	items := o.array(name)
	if items == nil {
		return
	}
	grow(len(items))
	for i := range items {
		if items[i].Kind != KindObject {
			o.wrongItem(name, i, "an object", &items[i])
			continue
		}
		collect(&Object{pointer: Pointer(o.pointer, name, i), value: &items[i], report: o.report}, func(inner *Object) { fill(i, inner) })
	}
}

// Require reports the members of names that are missing or null.
func (o *Object) Require(names ...string) {
	for _, name := range names {
		if o.take(name) == nil {
			o.report.add(Error{Code: MissingMember, Pointer: o.at(name), Message: o.at(name) + " is missing"})
		}
	}
}

// Refuse reports a member that breaks a rule of the caller.
func (o *Object) Refuse(name, format string, args ...any) {
	o.report.add(Error{Code: Invalid, Pointer: o.at(name), Message: fmt.Sprintf(format, args...)})
}

// array takes an array; nil if there is none.
func (o *Object) array(name string) []Value {
	v := o.take(name)
	switch {
	case v == nil:
		return nil
	case v.Kind != KindArray:
		o.wrong(name, "an array", v, "")
		return nil
	}
	return v.Items
}

// take notes that a member is known, and finds it; nil when it is missing or null.
func (o *Object) take(name string) *Value {
	if !slices.Contains(o.asked, name) {
		o.asked = append(o.asked, name)
	}
	v := o.value.member(name)
	if v == nil || v.Kind == KindNull {
		return nil
	}
	return v
}

func (o *Object) at(name string) string { return Pointer(o.pointer, name) }

func (o *Object) wrong(name, want string, got *Value, suggestion string) {
	at := o.at(name)
	o.report.add(Error{Code: WrongType, Pointer: at, Message: at + " must be " + want + ", not " + got.describe(), Suggestion: suggestion})
}

func (o *Object) wrongItem(name string, i int, want string, got *Value) {
	at := Pointer(o.pointer, name, i)
	o.report.add(Error{Code: WrongType, Pointer: at, Message: at + " must be " + want + ", not " + got.describe()})
}

// suggest names the known member that differs only in case or separators, if there is one.
func (o *Object) suggest(name string) string {
	fold := func(s string) string {
		return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
	}
	for _, known := range o.asked {
		if fold(known) == fold(name) {
			return "write " + known
		}
	}
	return "remove it; known here: " + strings.Join(o.asked, ", ")
}
