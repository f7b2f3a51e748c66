package strict

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Object hands out the members of one JSON object by name and collects what is
// wrong with them. A missing member and null both leave the target as it is.
type Object struct {
	pointer string
	members *object
	asked   []string
	report  *report
}

type report struct{ faults []Fault }

func (r *report) add(f Fault) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, f)
	}
}

// Read decodes data, which must be one JSON object, and lets fill take what it
// wants from it. Members that fill did not ask for are faults. It returns nil if
// all is well.
func Read(data []byte, fill func(*Object)) []Fault {
	value, fault := decode(data)
	if fault != nil {
		return []Fault{*fault}
	}
	members, ok := value.(*object)
	if !ok {
		return []Fault{{Detail: "it must be an object, not " + kind(value)}}
	}
	r := &report{}
	read(&Object{members: members, report: r}, fill)
	return r.faults
}

func read(o *Object, fill func(*Object)) {
	fill(o)
	for _, name := range o.members.names {
		if !slices.Contains(o.asked, name) {
			o.report.add(Fault{Pointer: o.at(name), Detail: "unknown member " + quote(name), Suggestion: o.suggest(name)})
		}
	}
}

// String takes a text.
func (o *Object) String(name string, target *string) {
	if value, ok := o.take(name); ok {
		if text, ok := value.(string); ok {
			*target = text
			return
		}
		suggestion := ""
		if _, number := value.(json.Number); number {
			suggestion = "put it in quotes"
		}
		o.wrong(name, "a string", value, suggestion)
	}
}

// Bool takes true or false.
func (o *Object) Bool(name string, target *bool) {
	if value, ok := o.take(name); ok {
		if b, ok := value.(bool); ok {
			*target = b
			return
		}
		o.wrong(name, "true or false", value, "")
	}
}

// Int takes a whole number; 3.0 and 3e0 are whole, as in JSON Schema. One beyond 32
// bits becomes the largest there is, for the limits that follow to refuse.
func (o *Object) Int(name string, target *int) {
	if value, ok := o.take(name); ok {
		if number, ok := value.(json.Number); ok {
			f, err := strconv.ParseFloat(number.String(), 64)
			if err == nil && f == math.Trunc(f) {
				*target = int(min(max(f, math.MinInt32), math.MaxInt32))
				return
			}
		}
		o.wrong(name, "a whole number", value, "")
	}
}

// OptionalInt is Int where no number is not the same as 0.
func (o *Object) OptionalInt(name string, target **int) {
	if o.members.values[name] == nil {
		o.asked = append(o.asked, name)
		return
	}
	*target = new(int)
	o.Int(name, *target)
}

// Strings takes an array of texts.
func (o *Object) Strings(name string, target *[]string) {
	value, ok := o.take(name)
	if !ok {
		return
	}
	items, ok := value.([]any)
	if !ok {
		o.wrong(name, "an array", value, "")
		return
	}
	for i, item := range items {
		text, ok := item.(string)
		if !ok {
			pointer := o.at(name) + "/" + strconv.Itoa(i)
			o.report.add(Fault{Pointer: pointer, Detail: pointer + " must be a string, not " + kind(item)})
			continue
		}
		*target = append(*target, text)
	}
}

// Object takes an object of its own members.
func (o *Object) Object(name string, fill func(*Object)) {
	value, ok := o.take(name)
	if !ok {
		return
	}
	members, ok := value.(*object)
	if !ok {
		o.wrong(name, "an object", value, "")
		return
	}
	read(&Object{pointer: o.at(name), members: members, report: o.report}, fill)
}

// Each takes an array of objects: grow is called with the length, then fill with
// each position and object.
func (o *Object) Each(name string, grow func(n int), fill func(i int, item *Object)) {
	value, ok := o.take(name)
	if !ok {
		return
	}
	items, ok := value.([]any)
	if !ok {
		o.wrong(name, "an array", value, "")
		return
	}
	grow(len(items))
	for i, item := range items {
		pointer := o.at(name) + "/" + strconv.Itoa(i)
		members, ok := item.(*object)
		if !ok {
			o.report.add(Fault{Pointer: pointer, Detail: pointer + " must be an object, not " + kind(item)})
			continue
		}
		read(&Object{pointer: pointer, members: members, report: o.report}, func(inner *Object) { fill(i, inner) })
	}
}

func (o *Object) take(name string) (any, bool) {
	o.asked = append(o.asked, name)
	value := o.members.values[name]
	return value, value != nil
}

func (o *Object) at(name string) string { return o.pointer + "/" + escape(name) }

func (o *Object) wrong(name, want string, got any, suggestion string) {
	o.report.add(Fault{Pointer: o.at(name), Detail: o.at(name) + " must be " + want + ", not " + kind(got), Suggestion: suggestion})
}

// suggest names the member a slip of the shift key or a separator stands for.
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

func kind(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case *object:
		return "an object"
	case []any:
		return "an array"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case json.Number:
		return "the number " + clip(v.String())
	}
	return "something else"
}

func clip(number string) string {
	const limit = 24
	if len(number) > limit {
		return number[:limit] + "…"
	}
	return number
}
