package buttons

import (
	"strings"
	"testing"
)

func TestWarnings(t *testing.T) {
	long := `"` + strings.Repeat("x", 61) + `"`
	media := []string{"mediaUrl", `"https://example.com/a.jpg"`, "mediaType", `"image"`}
	rows := []struct{ name, document, want string }{
		{"none", with("headerText", `"Hi"`, "footerText", `"Bye"`), ""},
		{"lower-case media type", with(media...), ""},
		{"mixed", with("buttons", "["+button("a", "A", "REPLY")+","+button("https://example.com", "B", "URL")+"]"), "/buttons reply_hidden_on_desktop"},
		{"all of one kind", with("buttons", "["+button("X1", "A", "COPY")+","+button("https://example.com", "B", "URL")+"]"), ""},
		{"long label", with("buttons", "["+button("a", strings.Repeat("x", 21), "")+"]"), "/buttons/0/displayText label_may_be_cut"},
		{"label of 20", with("buttons", "["+button("a", strings.Repeat("ã", 20), "")+"]"), ""},
		{"http link", with("buttons", "["+button("HTTP://example.com", "A", "URL")+"]"), "/buttons/0/id insecure_link"},
		{"local number", with("buttons", "["+button("(11) 99999-9999", "A", "CALL")+"]"), "/buttons/0/id number_not_international"},
		{"international number", with("buttons", "["+button("+55 (11) 99999-9999", "A", "CALL")+"]"), ""},
		{"newsletter", with("number", `"120363041234567890@newsletter"`), "/number newsletter_shows_no_buttons"},
		{"header and media", with(append(media, "headerText", `"Hi"`)...), "/headerText header_text_ignored"},
		{"long header and footer", with("headerText", long, "footerText", long), "/headerText text_may_be_cut,/footerText text_may_be_cut"},
		{"media type alone", with("mediaType", `"AUDIO"`), "/mediaType media_type_ignored"},
		{"rules without a reply", with("menu", `{"policy":"first"}`, "buttons", "["+button("X1", "A", "COPY")+"]"), "/menu menu_ignored"},
		{"rules", menu(`"policy":"first"`), ""},
		{"wildcard", with("buttons", "["+button("*", "Everything", "")+","+button("b", "Only B", "")+"]"), "/buttons/0/id id_is_a_wildcard"},
		{"a star to copy", with("buttons", "["+button("*", "Star", "COPY")+"]"), ""},
		{"private answer to nothing", with("replyPrivate", "true"), "/replyPrivate reply_private_ignored"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			violations, warnings := inspect(row.document)
			if len(violations) > 0 {
				t.Fatalf("violations %+v", violations)
			}
			var got []string
			for _, w := range warnings {
				got = append(got, w.Pointer+" "+w.Code)
				if w.Message == "" {
					t.Errorf("%s says nothing", w.Code)
				}
			}
			if strings.Join(got, ",") != row.want {
				t.Errorf("warnings %q, want %q", got, row.want)
			}
		})
	}
}

func TestValidateText(t *testing.T) {
	parse := func(document string) []Violation {
		r, violations := ParseText([]byte(document))
		if len(violations) == 0 {
			violations, _ = ValidateText(r)
		}
		return violations
	}
	if v := parse(`{"instance":"s","number":"5511999999999","contentText":"Thank you","delay":2,"replyTo":"3EB0","source":"crm"}`); len(v) > 0 {
		t.Errorf("good: %v", v)
	}
	var got []string
	for _, v := range parse(`{"number":"x","contentText":"` + strings.Repeat("x", 4097) + `","delay":301}`) {
		got = append(got, v.Message)
	}
	want := "Instance name is required|Invalid phone number format: it contains more than digits|ContentText has 4097 characters, more than 4096|Delay must be between 0 and 300 seconds"
	if strings.Join(got, "|") != want {
		t.Errorf("got %q", got)
	}
	if v := parse(`{"instance":"s","number":"5511999999999","contentText":"Hi","buttons":[]}`); len(v) != 1 || v[0].Message != `Invalid request body: unknown member "buttons"` {
		t.Errorf("buttons: %v", v)
	}
}
