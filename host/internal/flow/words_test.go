package flow

import (
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	keywords, part := Match{Keywords: []string{"início", "MENU", "oi, tudo bem"}}, Match{Keywords: []string{"menu", "bom dia"}, Part: true}
	pattern := Match{Pattern: `^order (a-)?[0-9]+$`}
	for name, c := range map[string]struct {
		match Match
		said  string
		want  bool
	}{
		"as it is":                   {keywords, "menu", true},
		"case, accents, spaces":      {keywords, "  INICIO ", true},
		"invisible signs":            {keywords, "\u200eme\u200bnu\ufeff", true},
		"punctuation around it":      {keywords, "*Menu*!", true},
		"other words around it":      {keywords, "the menu please", false},
		"a part of a word":           {part, "menus", false},
		"between other words":        {part, "O Menu, por favor", true},
		"between punctuation":        {part, "Menu?", true},
		"two words":                  {part, "ola, bom  dia!", true},
		"two words apart":            {part, "bom e dia", false},
		"a pattern":                  {pattern, "Order A-17", true},
		"a pattern, spaces":          {pattern, " order\u00a0 17\u200b", true},
		"a pattern, more":            {pattern, "order 17 please", false},
		"a pattern, case sensitive":  {Match{Pattern: "^A$", CaseSensitive: true}, "a", false},
		"either":                     {Match{Keywords: []string{"x"}, Pattern: "^y$"}, "y", true},
		"too long":                   {Match{Pattern: "a"}, strings.Repeat("a", maxMatchText+1), false},
		"nothing said":               {keywords, "", false},
		"words of another script":    {Match{Keywords: []string{"أهلا"}}, "أَهْلًا", true},
		"digits of another script":   {Match{Keywords: []string{"1"}}, "١", true},
		"a pattern in a later place": {Match{Pattern: "[0-9]{4}"}, "code 1234", true},
	} {
		t.Run(name, func(t *testing.T) {
			w, _, err := newWords(c.match)
			if err != nil {
				t.Fatal(err)
			}
			if got := w.match(c.said); got != c.want {
				t.Errorf("%q: %v", c.said, got)
			}
		})
	}
	for _, m := range []Match{{Pattern: "("}, {Pattern: "(?=a)"}, {Pattern: "(a{100}){100}"}, {Keywords: []string{"\u200b"}}} {
		if _, at, err := newWords(m); err == nil || at == "" {
			t.Errorf("%+v was taken", m)
		}
	}
}

// FuzzWords: any pattern and text give a result or an error. A keyword matches itself, and a
// keyword that matches as the whole text also matches as a part.
func FuzzWords(f *testing.F) {
	f.Add("menu", "menu", "m.*u")
	f.Add("início", "INICIO!", `(?i)\bx{2,3}`)
	f.Add("\u200d", "…", "(((a{9}){9}){9})")
	f.Fuzz(func(t *testing.T, keyword, said, pattern string) {
		if whole, _, err := newWords(Match{Keywords: []string{keyword}}); err == nil {
			if len(keyword) <= maxMatchText && !whole.match(keyword) {
				t.Errorf("%q is not found in itself", keyword)
			}
			part, _, err := newWords(Match{Keywords: []string{keyword}, Part: true})
			if err == nil && whole.match(said) && !part.match(said) {
				t.Errorf("%q in %q: found whole and not as a part", keyword, said)
			}
		}
		if w, _, err := newWords(Match{Pattern: pattern}); err == nil {
			w.match(said)
		}
	})
}
