package flow

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// didYouMean names the candidate nearest to a misspelt name, else lists a few.
func didYouMean(name string, candidates []string) string {
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

// expressionHint helps with a name an expression does not know.
func expressionHint(err error, f *Flow) string {
	m := unknownName.FindStringSubmatch(err.Error())
	if m == nil {
		return ""
	}
	vars := keys(properties(f.Vars))
	if m[1] == "name" {
		if slices.Contains(vars, m[2]) {
			return fmt.Sprintf("did you mean %q?", "vars."+m[2])
		}
		return didYouMean(m[2], []string{"vars", "event", "error", "nodes", "run"})
	}
	known := vars
	for _, n := range f.Nodes {
		known = append(known, n.ID)
	}
	return didYouMean(m[2], known)
}
