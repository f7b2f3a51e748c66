package buttons

import (
	"fmt"
	"strings"
	"testing"
)

// with is a valid request with members replaced or added; "" removes one.
func with(changes ...string) string {
	members := []string{"instance", "number", "contentText", "buttons"}
	values := map[string]string{
		"instance":    `"shop-1"`,
		"number":      `"5511999999999"`,
		"contentText": `"How can we help?"`,
		"buttons":     `[{"id":"a","displayText":"A"}]`,
	}
	for i := 0; i < len(changes); i += 2 {
		if _, known := values[changes[i]]; !known {
			members = append(members, changes[i])
		}
		values[changes[i]] = changes[i+1]
	}
	var parts []string
	for _, m := range members {
		if values[m] != "" {
			parts = append(parts, fmt.Sprintf("%q:%s", m, values[m]))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// menu is a valid request with rules for its clicks.
func menu(rules string) string { return with("menu", "{"+rules+"}") }

// people returns n phone numbers, as JSON.
func people(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`"55119%08d"`, i))
	}
	return strings.Join(list, ",")
}

func inspect(document string) ([]Violation, []Warning) {
	r, violations := Parse([]byte(document))
	if len(violations) > 0 {
		return violations, nil
	}
	return Validate(r)
}

func button(id, label, kind string) string {
	return fmt.Sprintf(`{"id":%q,"displayText":%q,"type":%q}`, id, label, kind)
}

// TestErrorTable checks the HTTP API's table of errors, row by row and word for word.
func TestErrorTable(t *testing.T) {
	rows := []struct{ document, pointer, code, message string }{
		{with("instance", ""), "/instance", CodeInstanceRequired, "Instance name is required"},
		{with("instance", `" "`), "/instance", CodeInstanceRequired, "Instance name is required"},
		{`{"number":1}`, "/number", CodeInvalidBody, "Invalid request body: /number must be a string, not the number 1"},
		{`{`, "", CodeInvalidBody, "Invalid request body: unexpected end of JSON input at byte 1"},
		{with("number", ""), "/number", CodeNumberRequired, "Number is required"},
		{with("number", `""`), "/number", CodeNumberRequired, "Number is required"},
		{with("number", `null`), "/number", CodeNumberRequired, "Number is required"},
		{with("contentText", ""), "/contentText", CodeContentRequired, "ContentText is required"},
		{with("contentText", `" \n"`), "/contentText", CodeContentRequired, "ContentText is required"},
		{with("buttons", ""), "/buttons", CodeButtonsRequired, "At least one button is required"},
		{with("buttons", "[]"), "/buttons", CodeButtonsRequired, "At least one button is required"},
		{with("buttons", "["+button("a", "A", "")+","+button("b", "B", "")+","+button("c", "C", "")+","+button("d", "D", "")+"]"), "/buttons", CodeTooManyButtons, "Maximum of 3 buttons allowed"},
		{with("mediaUrl", `"https://example.com/a.jpg"`), "/mediaType", CodeMediaTypeRequired, "MediaType is required when MediaURL is provided"},
		{with("mediaUrl", `"https://example.com/a.mp3"`, "mediaType", `"AUDIO"`), "/mediaType", CodeMediaTypeInvalid, "MediaType must be one of: IMAGE, VIDEO, DOCUMENT"},
		{with("buttons", "["+button("", "A", "")+"]"), "/buttons/0/id", CodeButtonIDRequired, "Button 1: ID is required"},
		{with("buttons", "["+button("a", "A", "")+","+button("b", " ", "")+"]"), "/buttons/1/displayText", CodeButtonLabelRequired, "Button 2: DisplayText is required"},
		{with("buttons", "["+button("a", "\u200b", "")+"]"), "/buttons/0/displayText", CodeButtonLabelRequired, "Button 1: DisplayText is required"},
		{with("buttons", "["+button("a", "A", "")+","+button("b", "B", "")+","+button("c", "C", "LINK")+"]"), "/buttons/2/type", CodeButtonTypeInvalid, "Button 3: Type must be one of: REPLY, URL, CALL, COPY"},
		{with("buttons", "["+button("a", "A", "reply")+"]"), "/buttons/0/type", CodeButtonTypeInvalid, "Button 1: Type must be one of: REPLY, URL, CALL, COPY"},
		{with("number", `"call me"`), "/number", CodeInvalidNumber, "Invalid phone number format: it contains more than digits"},
		{with("delay", `3000`), "/delay", CodeInvalidRequest, "Delay must be between 0 and 300 seconds"},
	}
	for _, row := range rows {
		t.Run(row.message, func(t *testing.T) {
			violations, _ := inspect(row.document)
			if len(violations) != 1 {
				t.Fatalf("violations %+v, want one", violations)
			}
			got := violations[0]
			if got.Pointer != row.pointer || got.Code != row.code || got.Message != row.message {
				t.Errorf("got  %s %s %q\nwant %s %s %q", got.Pointer, got.Code, got.Message, row.pointer, row.code, row.message)
			}
		})
	}
}

// TestAllAtOnce: every violation is reported, in the order of the table.
func TestAllAtOnce(t *testing.T) {
	violations, _ := inspect(`{
		"number": "12", "mediaUrl": "ftp://example.com", "delay": -1, "fallback": "sms",
		"buttons": [{"type": "X"}, {"id": "a", "displayText": "Yes"}, {"id": "a", "displayText": " yes "}, {"id": "d", "displayText": "D"}]
	}`)
	want := []string{
		"/instance instance_required",
		"/contentText content_text_required",
		"/buttons too_many_buttons",
		"/mediaType media_type_required",
		"/buttons/0/id button_id_required",
		"/buttons/0/displayText button_display_text_required",
		"/buttons/0/type button_type_invalid",
		"/number invalid_number",
		"/mediaUrl invalid_request",
		"/buttons/2/id invalid_request",
		"/buttons/2/displayText invalid_request",
		"/delay invalid_request",
		"/fallback invalid_request",
	}
	var got []string
	for _, v := range violations {
		got = append(got, v.Pointer+" "+v.Code)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestServiceRules: the violations that the table leaves to the service as invalid_request.
func TestServiceRules(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	quoted := func(s string) string { return fmt.Sprintf("%q", s) }
	one := func(b string) string { return "[" + b + "]" }
	media := []string{"mediaUrl", `"https://example.com/a.jpg"`, "mediaType", `"IMAGE"`}
	rows := []struct{ document, message string }{
		{with("instance", `"a/b"`), "Instance name has characters or a length that are not allowed"},
		{with("instance", quoted(x(101))), "Instance name has characters or a length that are not allowed"},
		{with("contentText", quoted(x(4097))), "ContentText has 4097 characters, more than 4096"},
		{with(append(media, "contentText", quoted(x(1025)))...), "ContentText with media has 1025 characters, more than 1024"},
		{with("headerText", quoted(x(1025))), "HeaderText has 1025 characters, more than 1024"},
		{with("footerText", quoted(x(1025))), "FooterText has 1025 characters, more than 1024"},
		{with("mediaUrl", `"https://"`, "mediaType", `"IMAGE"`), "MediaURL must be an http or https address"},
		{with("mediaUrl", `"https://user:pw@example.com/"`, "mediaType", `"IMAGE"`), "MediaURL holds a user or a password"},
		{with("mediaUrl", `"https://example.com/50%off"`, "mediaType", `"IMAGE"`), `MediaURL holds "%of", which is not a percent-escape`},
		{with("mediaUrl", `"file:///etc/passwd"`, "mediaType", `"IMAGE"`), "MediaURL must be an http or https address"},
		{with("mediaUrl", quoted("https://example.com/"+x(4096)), "mediaType", `"IMAGE"`), "MediaURL has 4116 characters, more than 4096"},
		{with("buttons", one(button(x(257), "A", ""))), "Button 1: ID has 257 characters, more than 256"},
		{with("buttons", one(button(x(2049), "A", "COPY"))), "Button 1: ID has 2049 characters, more than 2048"},
		{with("buttons", one(button("a", x(129), ""))), "Button 1: DisplayText has 129 characters, more than 128"},
		{with("buttons", one(button("example.com", "A", "URL"))), "Button 1: ID must be an http or https address"},
		{with("buttons", one(button("javascript:alert(1)", "A", "URL"))), "Button 1: ID must be an http or https address"},
		{with("buttons", one(button("https://exa mple.com", "A", "URL"))), "Button 1: ID holds a blank or a control character, which no address has"},
		{with("buttons", one(button("call us", "A", "CALL"))), "Button 1: ID must be a phone number"},
		{with("buttons", one(button("+", "A", "CALL"))), "Button 1: ID must be a phone number"},
		{with("buttons", "["+button("a", "A", "")+","+button("a", "B", "")+"]"), "Button 2: ID is already used by button 1"},
		{with("buttons", "["+button("a", "Sim", "")+","+button("b", "B", "")+","+button("c", " SIM", "")+"]"), "Button 3: DisplayText is already used by button 1"},
		{with("buttons", "["+button("a", "Yes", "")+","+button("b", "\u202aYes\u00a0\u202c", "")+"]"), "Button 2: DisplayText is already used by button 1"},
		{with("buttons", "["+button("a", "Não", "")+","+button("b", "na\u0303o", "")+"]"), "Button 2: DisplayText is already used by button 1"},
		{with("delay", "301"), "Delay must be between 0 and 300 seconds"},
		{with("replyTo", quoted(x(129))), "ReplyTo has 129 characters, more than 128"},
		{with("source", quoted(x(129))), "Source has 129 characters, more than 128"},
		{with("fallback", `"sms"`), "Fallback must be one of: none, text"},
		{menu(`"expiresIn":0`), "Menu: ExpiresIn must be between 1 and 7776000 seconds"},
		{menu(`"expiresIn":7776001`), "Menu: ExpiresIn must be between 1 and 7776000 seconds"},
		{menu(`"policy":"once"`), "Menu: Policy must be one of: all, first, oncePerPerson"},
		{menu(`"allowedSenders":[` + people(51) + `]`), "Menu: AllowedSenders has 51 entries, more than 50"},
		{menu(`"allowedSenders":["5511999999999","me"]`), "Menu: AllowedSender 2: it contains more than digits"},
		{menu(`"allowedSenders":["120363041234567890@g.us"]`), "Menu: AllowedSender 1: it is not a person"},
	}
	for _, row := range rows {
		t.Run(row.message, func(t *testing.T) {
			violations, _ := inspect(row.document)
			if len(violations) != 1 || violations[0].Message != row.message || violations[0].Code != CodeInvalidRequest {
				t.Errorf("violations %+v, want only %q", violations, row.message)
			}
		})
	}
}

// TestCharacters: limits count code points, whatever their size in bytes.
func TestCharacters(t *testing.T) {
	for name, letter := range map[string]string{
		"ascii": "x", "accented": "ã", "emoji": "😀", "combining mark": "\u0303",
	} {
		full, over := strings.Repeat(letter, 4096), strings.Repeat(letter, 4097)
		if name == "combining mark" { // a mark alone is blank to nobody, but needs a base
			full, over = "a"+full[len(letter):], "a"+over[len(letter):]
		}
		if v, _ := inspect(with("contentText", `"`+full+`"`)); len(v) > 0 {
			t.Errorf("%s: 4096 refused: %v", name, v[0])
		}
		if v, _ := inspect(with("contentText", `"`+over+`"`)); len(v) != 1 {
			t.Errorf("%s: 4097 gave %v", name, v)
		}
	}
	family := "👨‍👩‍👧" // one picture, five code points
	_, warnings := inspect(with("buttons", "["+button("a", strings.Repeat(family, 5), "")+"]"))
	if len(warnings) != 1 || !strings.Contains(warnings[0].Message, "this one has 25") {
		t.Errorf("five families: %v", warnings)
	}
}

func TestManyButtonsAreBounded(t *testing.T) {
	violations, _ := inspect(with("buttons", "["+strings.Repeat("{},", 3000)+"{}]"))
	if len(violations) != maxViolations {
		t.Errorf("%d violations, want %d", len(violations), maxViolations)
	}
}
