package recipient

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"5511999999999":                   "5511999999999@s.whatsapp.net",
		" +55 (11) 99999-9999 ":           "5511999999999@s.whatsapp.net",
		"005511999999999":                 "5511999999999@s.whatsapp.net",
		"55\u00a011\u00a099999\u20119999": "5511999999999@s.whatsapp.net",
		"5511999999999@s.whatsapp.net":    "5511999999999@s.whatsapp.net",
		// As address books, right-to-left pages and typographers write it.
		"\u202a+55 11 99999-9999\u202c":                "5511999999999@s.whatsapp.net",
		"\u200e+55 (11) 99999-9999":                    "5511999999999@s.whatsapp.net",
		"\u2066+55\u202f11\u202f99999\u202f9999\u2069": "5511999999999@s.whatsapp.net",
		"\ufeff55\u200b11\u00ad99999\u20609999\n":      "5511999999999@s.whatsapp.net",
		"+55\u200911\u200399999\u30009999":             "5511999999999@s.whatsapp.net",
		"+55 11 99999\u20139999":                       "5511999999999@s.whatsapp.net",
		"+55\u221211\u2014999\u201599\u20109999":       "5511999999999@s.whatsapp.net",
		"(+55) 11.99999·9999":                          "5511999999999@s.whatsapp.net",
		"＋５５（１１）９９９９９－９９９９":                            "5511999999999@s.whatsapp.net",
		"+٥٥١١٩٩٩٩٩٩٩٩٩":                               "5511999999999@s.whatsapp.net",
		"+۵۵ ११ 99999-9999":                            "5511999999999@s.whatsapp.net",
		"\u202a123456789012345@lid\u202c":              "123456789012345@lid",
		"\u200e120363041234567890@g.us\u200b":          "120363041234567890@g.us",
		"5511999999999@S.WhatsApp.Net":                 "5511999999999@s.whatsapp.net",
		"5511999999999@c.us":                           "5511999999999@s.whatsapp.net",
		"5511999999999:12@s.whatsapp.net":              "5511999999999@s.whatsapp.net",
		"5511999999999.0:7@s.whatsapp.net":             "5511999999999@s.whatsapp.net",
		"+5511999999999@s.whatsapp.net":                "5511999999999@s.whatsapp.net",
		"123456789012345@lid":                          "123456789012345@lid",
		"123456789012345:3@lid":                        "123456789012345@lid",
		"120363041234567890@g.us":                      "120363041234567890@g.us",
		"5511999999999-1600000000@g.us":                "5511999999999-1600000000@g.us",
		"120363041234567890@newsletter":                "120363041234567890@newsletter",
		"123456789012345":                              "123456789012345@s.whatsapp.net", // looks like a LID, but is not taken for one
	} {
		got, err := Parse(in)
		if err != nil {
			t.Errorf("Parse(%q): %v", in, err)
		} else if got.JID().String() != want {
			t.Errorf("Parse(%q) = %s, want %s", in, got.JID(), want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "Invalid phone number format: it is empty",
		"   ":                            "Invalid phone number format: it is empty",
		"call me":                        "Invalid phone number format: it contains more than digits",
		"+":                              "Invalid phone number format: it contains more than digits",
		"++5511999999999":                "Invalid phone number format: it contains more than digits",
		"\u200e\u202c":                   "Invalid phone number format: it is empty",
		"+55 11 9x999-9999":              "Invalid phone number format: it contains more than digits",
		"55+11999999999":                 "Invalid phone number format: it contains more than digits",
		"55*11#999999999":                "Invalid phone number format: it contains more than digits",
		"5511999999½999":                 "Invalid phone number format: it contains more than digits",
		"\xff5511999999999":              "Invalid phone number format: it contains more than digits",
		"55 11 99999-9999 / 99999-8888":  "Invalid phone number format: it has 22 digits, more than 15",
		"011999999999":                   "Invalid phone number format: it starts with 0",
		"+005511999999999":               "Invalid phone number format: it starts with 0",
		"551199":                         "Invalid phone number format: it has 6 digits, fewer than 7",
		"120363041234567890":             "Invalid phone number format: it has 18 digits, more than 15",
		"status@broadcast":               "Invalid phone number format: unknown server after the @",
		"5511999999999@":                 "Invalid phone number format: unknown server after the @",
		"5511999999999@lid@g.us":         "Invalid phone number format: unknown server after the @",
		"@lid":                           "Invalid phone number format: the part before @lid is not an id of that kind",
		"abc@g.us":                       "Invalid phone number format: the part before @g.us is not an id of that kind",
		"5511-@g.us":                     "Invalid phone number format: the part before @g.us is not an id of that kind",
		"12@c.us":                        "Invalid phone number format: the part before @c.us is not an id of that kind",
		"5511999999999:x@c.us":           "Invalid phone number format: the part before @c.us is not an id of that kind",
		strings.Repeat("5", 129):         "Invalid phone number format: it is too long",
		strings.Repeat("5", 33) + "@lid": "Invalid phone number format: the part before @lid is not an id of that kind",
	} {
		_, err := Parse(in)
		var invalid *Error
		if !errors.As(err, &invalid) || err.Error() != want {
			t.Errorf("Parse(%q): %v, want %s", in, err, want)
		}
	}
}

// TestDial: the country of a number to be dialled need not be known.
func TestDial(t *testing.T) {
	for in, want := range map[string]string{
		"+55\u00a011\u00a04000\u20110000": "+551140000000", "\u202a190\u202c": "190", "(11) 4000-0000": "1140000000", "0800/1": "08001",
		"＋５５ ١١": "+5511", "+": "", "": "", "\u200e": "", "call me": "", "+1+2": "", "*100#": "",
	} {
		if got, ok := Dial(in); ok != (want != "") || ok && got != want {
			t.Errorf("Dial(%+q) = %q, %v, want %q", in, got, ok, want)
		}
	}
}

func TestCandidates(t *testing.T) {
	for in, want := range map[string]string{
		"5561987654321":                "5561987654321 556187654321",
		"556187654321":                 "556187654321 5561987654321",
		"551133334444":                 "551133334444",  // landline
		"5511943334444":                "5511943334444", // without the 9 it would be a landline
		"5215512345678":                "5215512345678 525512345678",
		"525512345678":                 "525512345678 5215512345678",
		"5491112345678":                "5491112345678 541112345678",
		"541112345678":                 "541112345678 5491112345678",
		"15551234567":                  "15551234567",
		"5561987654321@s.whatsapp.net": "5561987654321",
		"123456789012345@lid":          "",
		"120363041234567890@g.us":      "",
	} {
		r, err := Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.Candidates(), " "); got != want {
			t.Errorf("%s: candidates %q, want %q", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"5511999999999", "+55 11 99999-9999", "1:2@lid", "1.2:3@s.whatsapp.net", "1-2@g.us", "@", "00", "\u00a0", "\u202a+55\u202f11 ٩９-1\u202c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, number string) {
		if dialled, ok := Dial(number); ok {
			if again, ok := Dial(dialled); !ok || again != dialled {
				t.Fatalf("%q: dialled %q, and again %q", number, dialled, again)
			}
		}
		r, err := Parse(number)
		if err != nil {
			var invalid *Error
			if !errors.As(err, &invalid) || invalid.Detail == "" {
				t.Fatalf("error without detail: %v", err)
			}
			return
		}
		again, err := Parse(r.JID().String())
		if err != nil || again.JID() != r.JID() {
			t.Fatalf("%q: %s does not parse to itself: %v %v", number, r.JID(), again, err)
		}
		for _, candidate := range r.Candidates() {
			if other, err := Parse(candidate); err != nil || other.Kind != Phone {
				t.Fatalf("%q: candidate %q: %v", number, candidate, err)
			}
		}
	})
}
