package recipient

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/tapnode/tapnode/internal/typed"
)

// Dial returns a phone number as it is dialled: an optional + and its digits. It drops spaces of
// every kind, the punctuation between the digits and invisible characters, and accepts the digits
// of any script. ok is false for everything else.
func Dial(number string) (dialled string, ok bool) {
	dialled = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || strings.ContainsRune(punctuation, r) {
			return -1
		}
		return r
	}, typed.Digits(norm.NFKC.String(typed.Clean(number))))
	return dialled, digits(strings.TrimPrefix(dialled, "+"))
}

// punctuation lists what people put between the digits of a phone number besides spaces and dashes.
// Minus signs, dots and bullets come from typography.
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

// Candidates returns the ways to write the recipient's number, the caller's first. It is nil unless
// the recipient is a phone number, and has one element if the number has only one form or the
// caller gave a JID.
//
// Numbers have two forms in Brazil (mobiles with and without the ninth digit), Mexico (52 and 521)
// and Argentina (54 and 549). Which one an account uses depends on when it was created, so only
// WhatsApp can tell.
func (r Recipient) Candidates() []string {
	if r.Kind != Phone {
		return nil
	}
	if other := otherForm(r.User); other != "" && !r.Exact {
		return []string{r.User, other}
	}
	return []string{r.User}
}

// otherForm returns the second way to write a number, or "".
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

// brazilianMobile reports whether an eight-digit number with this first digit was a mobile before
// the ninth digit was introduced. Numbers that start with 2 to 5 are landlines; adding a 9 to one
// (or removing it from a newer mobile) would yield another person's number.
func brazilianMobile(first byte) bool { return first >= '6' }
