package flow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/internal/typed"
)

// Match says which words start a run: one of the keywords, or the pattern.
type Match struct {
	Keywords []string `json:"keywords"`
	// Part means that a keyword may stand anywhere in the text, between other words.
	Part    bool   `json:"part"`
	Pattern string `json:"pattern"`
	// CaseSensitive applies to the pattern; keywords never are case-sensitive.
	CaseSensitive bool `json:"caseSensitive"`
}

// Bounds of a Match, which together keep matching below a few milliseconds.
const (
	maxMatchPattern = 1_000  // size of a pattern with its repetitions expanded
	maxMatchText    = 4_096  // bytes; a longer text never matches
	wordsMember     = "text" // of the event
)

// words is a compiled Match.
type words struct {
	keywords []string // folded, with a space on either side
	part     bool
	pattern  *pattern
}

// match reports whether a text matches one of the keywords or the pattern. Keywords are compared
// without regard to case, accents, spaces, invisible characters and surrounding punctuation. The
// pattern is matched against the text without invisible characters, with every run of spaces
// reduced to one space.
func (w *words) match(said string) bool {
	if len(said) > maxMatchText {
		return false
	}
	folded := " " + typed.Loose(said) + " "
	within := ""
	if w.part {
		within = apart(folded)
	}
	for _, k := range w.keywords {
		if folded == k || strings.Contains(within, k) {
			return true
		}
	}
	return w.pattern != nil && w.pattern.re.MatchString(strings.Join(strings.Fields(typed.Clean(said)), " "))
}

// apart replaces punctuation by spaces, so that each word stands alone.
func apart(folded string) string {
	return " " + strings.Join(strings.FieldsFunc(folded, func(r rune) bool { return strings.ContainsRune(" .,;:!?\"'()*_~¡¿…", r) }), " ") + " "
}

func newWords(m Match) (*words, string, error) {
	w := &words{part: m.Part}
	for i, k := range m.Keywords {
		folded := typed.Loose(k)
		if folded == "" {
			return nil, jsonstrict.Pointer("/keywords", i), errors.New("nothing of the keyword can be seen")
		}
		if m.Part {
			folded = strings.TrimSpace(apart(folded))
		}
		w.keywords = append(w.keywords, " "+folded+" ")
	}
	if m.Pattern == "" {
		return w, "", nil
	}
	src := m.Pattern
	if !m.CaseSensitive {
		src = "(?i)" + src
	}
	p, err := newPattern(src)
	if err == nil && p.size > maxMatchPattern {
		err = errors.New("the pattern repeats too much to be matched against every message")
	}
	w.pattern = p
	return w, "/pattern", err
}

// checkWords compiles the Match of a trigger.
func (c *compilation) checkWords(t *trigger, ptr string) {
	if t.Match == nil {
		return
	}
	ptr += "/match"
	event, _ := c.cat.events[c.cat.triggerEvent(t.Type)].(map[string]any)
	if member(properties(event)[wordsMember], "type") != "string" {
		c.fail(ptr, "no_words", "remove match, or use whatsapp.messageReceived@1", "the events of %s have no text to match", t.Type)
		return
	}
	if len(t.Match.Keywords) == 0 && t.Match.Pattern == "" {
		c.fail(ptr, "required", "", "match needs keywords or a pattern")
		return
	}
	var at string
	var err error
	if t.words, at, err = newWords(*t.Match); err != nil {
		c.fail(ptr+at, "pattern", "", "%v", fmt.Errorf("match: %w", oneLine(err)))
	}
	folded := make([]string, 0, len(t.Match.Keywords))
	for i, k := range t.Match.Keywords {
		if slices.Contains(folded, typed.Loose(k)) {
			c.report(SeverityWarning, jsonstrict.Pointer(ptr+"/keywords", i), "duplicate", "remove one", "the keyword %.60q means the same as an earlier one", k)
		}
		folded = append(folded, typed.Loose(k))
	}
}
