package flow

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// DidYouMean names the candidate nearest to a misspelt name, else lists a few.
func DidYouMean(name string, candidates []string) string {
	if len(candidates) == 0 {
		return ""
	}
	sorted := slices.Clone(candidates)
	slices.Sort(sorted)
	best, dist := "", 1+max(len(name)/3, 2)
	for _, c := range sorted {
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < dist {
			best, dist = c, d
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

// distance is the Levenshtein distance in bytes; long names count as far apart.
func distance(a, b string) int {
	if max(len(a), len(b)) > 128 {
		return 128
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(diag+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

var unknownName = regexp.MustCompile(`unknown (name|field) (\w+)`)

// hint helps with a name an expression does not know. roots are what it may
// begin with.
func (c *compilation) hint(err error, roots []string) string {
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
