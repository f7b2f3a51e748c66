package jqguard

import "strings"

// Functions by name and number of arguments, as in "join/1".
var (
	// free are functions made of steps, which are counted, and functions whose cost does not depend
	// on values.
	free = set(`empty/0 not/0 select/1 map/1 map_values/1 recurse/0 recurse/1 recurse/2 range/1 range/2 range/3 while/2 until/2
		repeat/1 limit/2 skip/2 first/0 first/1 last/0 last/1 isempty/1 all/0 all/1 all/2 any/0 any/1 any/2 arrays/0 objects/0 iterables/0 booleans/0
		numbers/0 strings/0 nulls/0 values/0 scalars/0 type/0 infinite/0 nan/0 isnan/0 isinfinite/0 isfinite/0 isnormal/0 floor/0 ceil/0 round/0
		trunc/0 sqrt/0 cbrt/0 fabs/0 abs/0 exp/0 exp2/0 exp10/0 log/0 log2/0 log10/0 pow/2 fmin/2 fmax/2 fmod/2 path/1 walk/1 in/1 combinations/0
		true/0 false/0 null/0`)
	// paid are functions that cost a factor for everything that their input contains.
	paid = map[string]int{
		"length/0": 2, "utf8bytelength/0": 1, "keys/0": 40, "to_entries/0": 40, "from_entries/0": 40, "with_entries/1": 40,
		"add/0": 4, "tostring/0": 8, "tonumber/0": 8, "toboolean/0": 2, "tojson/0": 8, "fromjson/0": 64, "reverse/0": 2,
		"ltrim/0": 2, "rtrim/0": 2, "trim/0": 2, "explode/0": 16, "implode/0": 2, "ascii_downcase/0": 2, "ascii_upcase/0": 2,
		"flatten/0": 16, "flatten/1": 16, "error/0": 8, "min/0": 4, "max/0": 4, "sort/0": 40, "unique/0": 40,
		"min_by/1": 8, "max_by/1": 8, "sort_by/1": 40, "group_by/1": 40, "unique_by/1": 40,
		"paths/0": 16, "paths/1": 16, "del/1": 16,
		"todate/0": 2, "fromdate/0": 2, "todateiso8601/0": 2, "fromdateiso8601/0": 2, "mktime/0": 2, "gmtime/0": 2,
	}
	// by are functions that compare the result of their argument for each member; the results are
	// paid for, too.
	by = set(`min_by/1 max_by/1 sort_by/1 group_by/1 unique_by/1`)
	// withArg are functions of one value whose cost is the product of the sizes of the input and
	// the value.
	withArg = set(`error/1 has/1 contains/1 inside/1 index/1 rindex/1 indices/1 startswith/1 endswith/1 ltrimstr/1 rtrimstr/1 trimstr/1 split/1 join/1 strftime/1 strptime/1 bsearch/1`)
	// patterns are functions whose first argument is a pattern; they cost its size for each byte of
	// the input. Functions that may match more than once also cost a fraction of the square of the
	// input, because gojq counts the characters from the beginning for each match.
	patterns = map[string]int{"test/1": once, "test/2": once, "sub/2": once, "match/1": often, "match/2": often, "capture/1": often, "capture/2": often,
		"scan/1": often, "scan/2": often, "split/2": often, "splits/1": often, "splits/2": often, "sub/3": often, "gsub/2": often, "gsub/3": often}
)

// How often a pattern may match.
const (
	once  = 1
	often = 2
)

// byPrice covers comparing the results of the argument of a function in by.
const byPrice = 40

// formatPrice covers @base64 and similar formats, and values inside quoted text.
const formatPrice = 8

func set(names string) map[string]bool {
	out := map[string]bool{}
	for name := range strings.FieldsSeq(names) {
		out[name] = true
	}
	return out
}
