package buttons

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	r := Request{
		HeaderText: "Support", ContentText: "How can we help?", FooterText: "24/7",
		Buttons: []Button{
			{ID: "https://example.com", DisplayText: "Site", Type: URL},
			{ID: "a", DisplayText: "Sales"},
			{ID: "+55 (11) 9", DisplayText: "Call", Type: Call},
			{ID: "b", DisplayText: "Other", Type: Reply},
		},
	}
	want := "*Support*\n\nHow can we help?\n\nSite: https://example.com\n1. Sales\nCall: +55119\n2. Other\n\n_24/7_"
	if got := Text(r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	r.MediaURL = "https://example.com/a.jpg"
	if got := Text(r); strings.Contains(got, "Support") {
		t.Errorf("the header text stays although media replaces it:\n%s", got)
	}
}

// TestAnswer: what people type in answer to a numbered menu.
func TestAnswer(t *testing.T) {
	menu := []Button{
		{ID: "site", DisplayText: "Site", Type: URL},
		{ID: "a", DisplayText: "Não sei"},
		{ID: "b", DisplayText: "Straße 1"},
		{ID: "c", DisplayText: "2"},
	}
	for typed, want := range map[string]string{
		"1": "a", " 1. ": "a", "1)": "a", "1️⃣": "a", "１": "a", "①": "a", "⑴": "a", "*1*": "a", "«1»": "a", "1\u200b": "a", "\u202a1\u202c": "a",
		"١": "a", "۱": "a", "१": "a", "၁": "a", "1️⃣.": "a", "\u00a01\u202f": "a", "1、": "a",
		"٢": "c", "٣": "c", "3)": "c",
		"2":        "c", // a label takes precedence over a number
		"3":        "c",
		"não  SEI": "a", "na\u0303o sei": "a", "NÃO SEI": "a",
		"strasse 1": "b", "straße ١": "b", "Strasse 1!": "b", "nao sei": "a", "NAO SEI.": "a", "\"não sei\"": "a", "não\u00a0\u200bsei": "a",
		"1?": "", "#1": "", "não sei?": "",
		"": "", "0": "", "4": "", "-1": "", "1 2": "", "01": "", "Site": "", "sei": "", ".": "",
	} {
		got := ""
		if i, ok := Answer(menu, typed); ok {
			got = menu[i].ID
		}
		if got != want {
			t.Errorf("Answer(%q) = %q, want %q", typed, got, want)
		}
	}
	accents := []Button{{ID: "a", DisplayText: "Pé"}, {ID: "b", DisplayText: "Pe"}, {ID: "c", DisplayText: "Pê."}}
	for typed, want := range map[string]string{"pé": "a", "PE": "b", "pê.": "c", "pè": "", "Pe!": ""} {
		i, ok := ByLabel(accents, typed)
		if ok != (want != "") || ok && accents[i].ID != want {
			t.Errorf("ByLabel(%q) = %d, %v, want %q", typed, i, ok, want)
		}
	}
	twice := []Button{{ID: "a", DisplayText: "Yes"}, {ID: "b", DisplayText: "YES "}}
	if i, ok := ByLabel(twice, "yes"); ok {
		t.Errorf("a label that stands twice was matched to %d", i)
	}
}

// TestAnswersToText: every number and label that Text shows leads back to its button.
func TestAnswersToText(t *testing.T) {
	r, _ := Parse([]byte(with("buttons", "["+button("x", "Opção A", "")+","+button("CODE", "Copy", "COPY")+","+button("z", "Opção B", "")+"]")))
	number := 0
	for i, b := range r.Buttons {
		if b.Kind() != Reply {
			continue
		}
		number++
		for _, typed := range []string{string(rune('0' + number)), strings.ToUpper(b.DisplayText)} {
			if got, ok := Answer(r.Buttons, typed); !ok || got != i {
				t.Errorf("%q leads to %d (%v), want %d", typed, got, ok, i)
			}
		}
	}
}
