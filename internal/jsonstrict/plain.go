package jsonstrict

// Plain reads a document as map[string]any, []any, string, bool and nil; number converts the
// literals of numbers. A number that it refuses is reported as [NumberRange], with the text of its
// error.
func Plain(data []byte, l Limits, number func(literal string) (any, error)) (v any, fault *Error) {
	fault = read(data, l, func(r *reader) (err error) {
		v, err = r.plainValue(number)
		return err
	})
	if fault != nil {
		return nil, fault
	}
	return v, nil
}

// plain holds the values that were read and belong to containers that are not complete, the
// innermost last: a container is made when its size is known.
type plain struct {
	values []any
	names  []string
}

// keepPlain is the number of values up to which the memory is kept for the next document.
const keepPlain = 1000

// forget drops all references to values.
func (p *plain) forget() {
	if cap(p.values) > keepPlain {
		*p = plain{}
		return
	}
	clear(p.values[:cap(p.values)])
	clear(p.names[:cap(p.names)])
	p.values, p.names = p.values[:0], p.names[:0]
}

func (r *reader) plainValue(number func(string) (any, error)) (any, error) {
	kind := Kind(r.dec.PeekKind())
	switch kind {
	case KindObject:
		return r.plainObject(number)
	case KindArray:
		return r.plainArray(number)
	}
	raw, err := r.scalar(kind)
	switch {
	case err != nil || kind == KindNull:
		return nil, err
	case kind == KindString:
		return unquote(raw), nil
	case kind == KindNumber:
		n, err := number(string(raw))
		if err != nil {
			return nil, r.refuse(NumberRange, err.Error())
		}
		return n, nil
	}
	return kind == KindTrue, nil
}

func (r *reader) plainObject(number func(string) (any, error)) (any, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	p := &r.plain
	values, names := len(p.values), len(p.names)
	for r.dec.PeekKind() != '}' {
		name, err := r.dec.ReadValue()
		if err != nil {
			return nil, err
		}
		p.names = append(p.names, unquote(name))
		v, err := r.plainValue(number)
		if err != nil {
			return nil, err
		}
		p.values = append(p.values, v)
	}
	object := make(map[string]any, len(p.values)-values)
	for i, v := range p.values[values:] {
		object[p.names[names+i]] = v
	}
	p.values, p.names = p.values[:values], p.names[:names]
	return object, r.leave()
}

func (r *reader) plainArray(number func(string) (any, error)) (any, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	p := &r.plain
	values := len(p.values)
	for r.dec.PeekKind() != ']' {
		v, err := r.plainValue(number)
		if err != nil {
			return nil, err
		}
		p.values = append(p.values, v)
	}
	array := append(make([]any, 0, len(p.values)-values), p.values[values:]...)
	p.values = p.values[:values]
	return array, r.leave()
}
