package buttons

import (
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// FoldLabel is a label as far as a person tells labels apart when typing one: its
// case, its spaces and the way its accents are composed do not count.
func FoldLabel(label string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFKC.String(strings.Join(strings.Fields(label), " "))))
}
