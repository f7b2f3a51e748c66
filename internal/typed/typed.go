// Package typed compares texts that people type by what others see and mean, not by code points: a
// text copied from a page contains invisible characters, and one keyboard has digits, spaces and
// accents that another does not.
//
//	Clean    the text without invisible characters
//	Visible  whether the text has anything visible
//	Fold     equal for texts that look the same, whatever their case
//	Loose    equal for texts that are meant to be the same
//	Digits   the digits of every script as 0 to 9
//
// Clean, Fold and Digits are idempotent. The package does no I/O.
package typed

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	zeroWidthJoiner = '\u200d'
	blackFlag       = '\U0001f3f4'
	brailleBlank    = '\u2800' // drawn as nothing, and used as a blank
)

// Clean drops invisible characters: direction marks, zero-width spaces, soft hyphens, controls.
// Those that join emoji into another picture stay.
func Clean(s string) string {
	var out strings.Builder
	out.Grow(len(s))
	var last rune
	joined := false
	for _, r := range s {
		switch {
		case r == zeroWidthJoiner:
			joined = true
			continue
		case tag(r) && (last == blackFlag || tag(last)): // the flags of England, Scotland, Wales
		case invisible(r):
			continue
		}
		if joined && picture(last) && picture(r) {
			out.WriteRune(zeroWidthJoiner)
		}
		joined, last = false, r
		out.WriteRune(r)
	}
	return out.String()
}

// Visible reports whether there is anything to see in s.
func Visible(s string) bool {
	return strings.ContainsFunc(Clean(s), func(r rune) bool { return !space(r) })
}

// Fold reduces s to what a reader can tell apart: the case, the kind and number of spaces, the
// width, the way accents are composed and invisible characters do not count.
func Fold(s string) string {
	s = Clean(norm.NFKC.String(s))
	s = norm.NFKC.String(strings.Map(cherokee, cases.Fold().String(s)))
	return strings.Join(strings.FieldsFunc(s, space), " ")
}

// cherokee undoes cases.Fold for that script: it maps each letter of a case pair to the other one,
// so the two would never be equal.
func cherokee(r rune) rune {
	if unicode.Is(unicode.Cherokee, r) {
		return unicode.ToUpper(r)
	}
	return r
}

// Loose is Fold without accents and vowel points, with the digits 0 to 9, and without
// the punctuation that ends a sentence or encloses it.
func Loose(s string) string {
	s = Fold(strings.Map(func(r rune) rune {
		if unicode.Is(accents, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(Digits(Fold(s)))))
	bare := strings.TrimRightFunc(strings.TrimLeftFunc(s, opens), closes)
	if bare == "" {
		return s
	}
	return bare
}

// Digits turns the decimal digits of every script into 0 to 9.
func Digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII {
			return r
		}
		for _, run := range unicode.Nd.R16 {
			if rune(run.Lo) <= r && r <= rune(run.Hi) {
				return '0' + (r-rune(run.Lo))%10
			}
		}
		for _, run := range unicode.Nd.R32 {
			if rune(run.Lo) <= r && r <= rune(run.Hi) {
				return '0' + (r-rune(run.Lo))%10
			}
		}
		return r
	}, s)
}

// invisible reports whether r is one of Unicode's Default_Ignorable_Code_Point or a control, but
// not a space.
func invisible(r rune) bool {
	switch {
	case space(r):
		return false
	case unicode.In(r, unicode.Cc, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return true
	}
	const egyptianFirst, egyptianLast = '\U00013430', '\U00013440' // they arrange the signs around them
	return unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) && (r < egyptianFirst || r > egyptianLast)
}

func space(r rune) bool { return unicode.IsSpace(r) || r == brailleBlank }

func tag(r rune) bool { return r >= '\U000e0020' && r <= '\U000e007f' }

// picture reports whether r may be part of an emoji that a joiner makes.
func picture(r rune) bool { return unicode.In(r, unicode.So, unicode.Sk) }

// accents are the marks above, below and around letters that people in a hurry leave out. The vowel
// signs of Indic scripts and the marks of kana are not among them: without them it is another word.
var accents = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x0300, Hi: 0x036f, Stride: 1}, // Latin, Greek, Cyrillic
	{Lo: 0x0591, Hi: 0x05bd, Stride: 1}, // Hebrew points
	{Lo: 0x05bf, Hi: 0x05c7, Stride: 1},
	{Lo: 0x0610, Hi: 0x061a, Stride: 1}, // Arabic vowels
	{Lo: 0x0640, Hi: 0x0640, Stride: 1}, // Arabic tatweel, which makes a word longer
	{Lo: 0x064b, Hi: 0x065f, Stride: 1},
	{Lo: 0x0670, Hi: 0x0670, Stride: 1},
	{Lo: 0x20e3, Hi: 0x20e3, Stride: 1}, // the key around 1️⃣
}}

func opens(r rune) bool {
	return space(r) || unicode.In(r, unicode.Ps, unicode.Pi) || strings.ContainsRune(`"'*_~`, r)
}

// closes excludes the question mark: a question is not a choice.
func closes(r rune) bool {
	return space(r) || unicode.In(r, unicode.Pe, unicode.Pf) || strings.ContainsRune(`"'*_~.,;:!、。،۔।`, r)
}
