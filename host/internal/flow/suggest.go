package flow

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// DidYouMean suggests the candidate that a name is most likely a misspelling of, or else lists a
// few candidates.
func DidYouMean(name string, candidates []string) string {
	if len(candidates) == 0 {
		return ""
	}
	sorted := slices.Clone(candidates)
	slices.Sort(sorted)
	best, fewest := "", 1<<10
	for _, c := range sorted {
		if d := slips(name, c); d < fewest {
			best, fewest = c, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	const few = 8
	if len(sorted) > few {
		return fmt.Sprintf("known are %s and %d more", strings.Join(sorted[:few], ", "), len(sorted)-few)
	}
	return "known are " + strings.Join(sorted, ", ")
}

// slips counts the typing errors between a name and a candidate, if they are few for its length;
// otherwise the result is large. Case and leading dashes are ignored.
func slips(name, candidate string) int {
	const far = 1 << 10
	a, b := strings.TrimLeft(name, "-"), strings.TrimLeft(candidate, "-")
	la, lb := strings.ToLower(a), strings.ToLower(b)
	shorter := min(len(a), len(b))
	switch d := distance(la, lb); {
	case a == b || d == 0:
		return d
	case shorter >= 3 && d == 1, shorter >= 6 && d == 2, shorter >= 12 && d == 3:
		return d
	default:
		return far
	}
}

// distance counts the bytes that differ, are missing, are extra, or are swapped with their
// neighbour (optimal string alignment). Long names count as far apart.
func distance(a, b string) int {
	if max(len(a), len(b)) > 128 {
		return 128
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

var unknownName = regexp.MustCompile(`unknown (name|field) (\w+)`)

// hint suggests what to do about a name that an expression does not have. roots are the names it
// may begin with.
func (c *compilation) hint(err error, roots []string) string {
	var d *doubt
	if errors.As(err, &d) && d.code == "not_on_every_way" {
		return "reckon with it, as in event?.button?.id ?? '', or lead this way to another node"
	}
	m := unknownName.FindStringSubmatch(err.Error())
	if m == nil {
		return ""
	}
	kind, name := m[1], m[2]
	known := map[string]bool{}
	if kind == "name" {
		if slices.Contains(roots, "vars") && properties(c.flow.Vars)[name] != nil {
			return fmt.Sprintf("did you mean %q?", "vars."+name)
		}
		return DidYouMean(name, roots)
	}
	members(c.flow.Vars, known)
	for id, n := range c.program.nodes {
		known[id] = true
		if n.op != nil {
			members(n.op.outputDoc, known)
		}
	}
	for _, schema := range c.cat.events {
		members(schema, known)
	}
	if known[name] {
		return "there is one elsewhere, but not in what leads here"
	}
	if s := DidYouMean(name, keys(known)); strings.HasPrefix(s, "did") {
		return s
	}
	return ""
}

// members adds the names of all properties a schema lists, at any depth.
func members(schema any, into map[string]bool) {
	s, _ := schema.(map[string]any)
	for name, p := range properties(s) {
		into[name] = true
		members(p, into)
	}
}
