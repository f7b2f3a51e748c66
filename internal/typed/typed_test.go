package typed

import (
	"testing"
	"unicode"
)

func TestVisible(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, " \t\n": false, "\u00a0\u202f\u3000": false, // spaces
		"\u200b": false, "\u200e\u200f": false, "\u2060\ufeff": false, "\u00ad": false, "\u115f\u1160\u3164\uffa0": false, // default ignorable
		"\u2800": false, "\ufe0f": false, "\u200d": false, "\U000e0041": false, "\x00\x1b": false,
		"a": true, ".": true, "\u200ba": true, "👍": true, "\u0600": true, "\u0301": true, "\xff": true,
	} {
		if got := Visible(text); got != want {
			t.Errorf("Visible(%+q) = %v", text, got)
		}
	}
}

// Texts on the same line are equal to Fold; texts on different lines are not.
func TestFold(t *testing.T) {
	groups := [][]string{
		{"Yes", " yes ", "YES", "Yes\u200b", "\u202aYes\u202c", "Y\u00ades", "Yes\ufeff", "Yes\x00", "\u3164Yes", "Ｙｅｓ", "Yes\u2800"},
		{"Não sei", "na\u0303o\u00a0SEI", "NÃO\u202fsei", "não \u200e sei"},
		{"Nao sei"},
		{"Straße", "STRASSE", "strasse"},
		{"Ꮳ", "ꮳ"},
		{"❤️", "❤"},
		{"❤️‍🔥", "❤\u200d🔥"}, // one picture, not two
		{"❤🔥", "❤\ufe0f🔥"},
		{"👍", "👍\u200d", "\u200d👍"},
		{"👍🏽"},
		{"👩‍👩‍👧"},
		{"👩👩👧"},
		{"🏴"},
		{"🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"},
		{"🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"},
		{"\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "میخواهم"},
		{"1️⃣", "1⃣"},
		{"1", "１", "①"},
		{"١"},
		{"२"},
		{"\u00adı"}, {"i", "I"}, {"İ", "i\u0307"},
	}
	seen := map[string]int{}
	for i, group := range groups {
		for _, text := range group {
			if first, taken := seen[Fold(text)]; taken && first != i {
				t.Errorf("%q looks like %q", text, groups[first][0])
			}
			if Fold(text) != Fold(group[0]) {
				t.Errorf("Fold(%+q) = %+q, want %+q", text, Fold(text), Fold(group[0]))
			}
			seen[Fold(text)] = i
		}
	}
}

func TestLoose(t *testing.T) {
	for text, want := range map[string]string{
		"Não, não!": "nao, nao", "ÜBER": "uber", "ёлка": "елка", "Ά": "α", "Łódź": "łodz", "naïve…": "naive",
		"أَهْلًا": "اهلا", "مـرحبا": "مرحبا", "שָׁלוֹם": "שלום",
		"٣": "3", "۳": "3", "३": "3", "３": "3", "𝟛": "3", "③": "3", "3️⃣": "3", "᠓": "3", "𞥓": "3",
		"3.": "3", "3)": "3", "(3)": "3", "⒊": "3", "⑶": "3", "« 3 »": "3", "*3*": "3", "３．": "3", "3!": "3", "3।": "3",
		"3?": "3?", "-3": "-3", "1 3": "1 3", "3%": "3%", "#3": "#3", "+3": "+3", "...": "...", "": "",
		"हिन्दी": "हिन्दी", "が": "が", "ที่": "ที่", // the marks are part of the word
	} {
		if got := Loose(text); got != want {
			t.Errorf("Loose(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestDigits: every decimal digit of Unicode has the value that Unicode gives it.
func TestDigits(t *testing.T) {
	n := 0
	for _, run := range unicode.Nd.R16 {
		n += digitsOf(t, rune(run.Lo), rune(run.Hi), uint32(run.Stride))
	}
	for _, run := range unicode.Nd.R32 {
		n += digitsOf(t, rune(run.Lo), rune(run.Hi), run.Stride)
	}
	if n < 600 {
		t.Errorf("only %d digits", n)
	}
	if got := Digits("+٥٥ ११ ９a"); got != "+55 11 9a" {
		t.Errorf("got %q", got)
	}
}

// digitsOf requires complete groups of ten, so that the position in the run is the value.
func digitsOf(t *testing.T, first, last rune, stride uint32) int {
	t.Helper()
	if n := last - first + 1; n%10 != 0 || stride != 1 {
		t.Errorf("%U to %U, stride %d, are not whole tens", first, last, stride)
	}
	for r := first; r <= last; r++ {
		if got, want := Digits(string(r)), string('0'+(r-first)%10); got != want {
			t.Errorf("%U is %q, want %q", r, got, want)
		}
	}
	return int(last - first + 1)
}

func FuzzFold(f *testing.F) {
	for _, seed := range []string{"Yes\u200b", "👩‍👩‍👧", "🏴\U000e0067\U000e007f", "1️⃣", "⒊", "\u200d", "İ", "ſ", "\u0345\u0301", "\u00b4a", "\xff", "أَهْلًا"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, of := range map[string]func(string) string{"Clean": Clean, "Fold": Fold, "Digits": Digits} {
			once := of(s)
			if again := of(once); again != once {
				t.Errorf("%s(%+q) = %+q, and again %+q", name, s, once, again)
			}
		}
		if Clean(s) == "" && Visible(s) || Visible(s) != Visible(Clean(s)) || Visible(s) && Fold(s) == "" || Loose(s) != Loose(Fold(s)) {
			t.Errorf("%+q: visible %v, clean %+q, fold %+q, loose %+q", s, Visible(s), Clean(s), Fold(s), Loose(s))
		}
	})
}
