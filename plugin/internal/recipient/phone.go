package recipient

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/tapnode/tapnode/internal/typed"
)

// Dial is a phone number as one dials it: its digits, after a + if it has one. Spaces of
// every kind, the punctuation between the digits and what nobody sees are dropped, and
// the digits may be those of any script. ok is false for everything else.
func Dial(number string) (dialled string, ok bool) {
	dialled = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || strings.ContainsRune(punctuation, r) {
			return -1
		}
		return r
	}, typed.Digits(norm.NFKC.String(typed.Clean(number))))
	return dialled, digits(strings.TrimPrefix(dialled, "+"))
}

// punctuation is what people put between the digits of a phone number, beside spaces
// and dashes. Minus signs, dots and bullets come from typography.
const punctuation = "()./\u2212\u00b7\u2022\u2027\u2219"

func parsePhone(number string) (Recipient, error) {
	dialled, ok := Dial(number)
	bare, plus := strings.CutPrefix(dialled, "+")
	if !plus {
		bare = strings.TrimPrefix(bare, "00")
	}
	switch {
	case !ok || bare == "":
		return Recipient{}, &Error{
			Detail:     "it contains more than digits",
			Suggestion: "write the digits with country code, such as 5511999999999",
		}
	case bare[0] == '0':
		return Recipient{}, &Error{
			Detail:     "it starts with 0",
			Suggestion: "begin with the country code, without 0",
		}
	case len(bare) < minDigits:
		return Recipient{}, &Error{
			Detail:     fmt.Sprintf("it has %d digits, fewer than %d", len(bare), minDigits),
			Suggestion: "begin with the country code",
		}
	case len(bare) > maxDigits:
		return Recipient{}, &Error{
			Detail:     fmt.Sprintf("it has %d digits, more than %d", len(bare), maxDigits),
			Suggestion: "a group ends in @g.us, a channel in @newsletter, a hidden number in @lid",
		}
	}
	return Recipient{Kind: Phone, User: bare}, nil
}

// Candidates are the ways to write the recipient's number, the caller's first.
// It is nil unless the recipient is a phone number, and has one element where
// the number is written in one way only or the caller gave a JID.
//
// Two forms exist in Brazil (mobiles with and without the ninth digit), Mexico
// (52 and 521) and Argentina (54 and 549). Which one an account has depends on
// when it was made, so only WhatsApp can tell.
func (r Recipient) Candidates() []string {
	if r.Kind != Phone {
		return nil
	}
	if other := otherForm(r.User); other != "" && !r.Exact {
		return []string{r.User, other}
	}
	return []string{r.User}
}

// otherForm is the second way to write a number, empty if there is none.
func otherForm(n string) string {
	switch {
	case strings.HasPrefix(n, "55") && len(n) == 13 && n[4] == '9' && brazilianMobile(n[5]):
		return n[:4] + n[5:]
	case strings.HasPrefix(n, "55") && len(n) == 12 && brazilianMobile(n[4]):
		return n[:4] + "9" + n[4:]
	case strings.HasPrefix(n, "521") && len(n) == 13:
		return "52" + n[3:]
	case strings.HasPrefix(n, "52") && len(n) == 12:
		return "521" + n[2:]
	case strings.HasPrefix(n, "549") && len(n) == 13:
		return "54" + n[3:]
	case strings.HasPrefix(n, "54") && len(n) == 12:
		return "549" + n[2:]
	}
	return ""
}

// brazilianMobile reports whether an eight-digit number that begins like this
// was a mobile before the ninth digit came; 2 to 5 are landlines, and giving one
// a 9 (or taking it from a newer mobile) would name somebody else.
func brazilianMobile(first byte) bool { return first >= '6' }
