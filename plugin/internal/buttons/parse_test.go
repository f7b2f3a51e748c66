package buttons

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/schemas"
)

func TestParse(t *testing.T) {
	got, violations := Parse([]byte(`{
		"instance": "shop-1", "number": "5511999999999", "contentText": "Hi",
		"buttons": [{"id": "a", "displayText": "A"}, {"id": "b", "displayText": "B", "type": "COPY"}],
		"headerText": "H", "footerText": "F", "mediaUrl": "https://example.com/a", "mediaType": "Video",
		"delay": 3, "replyTo": "3EB0", "replyPrivate": true, "source": "crm", "fallback": "text",
		"menu": {"expiresIn": 3600, "policy": "first", "allowedSenders": ["5511999999999", "1@lid"]}
	}`))
	hour := 3600
	want := Request{
		Instance: "shop-1", Number: "5511999999999", ContentText: "Hi",
		Buttons:    []Button{{ID: "a", DisplayText: "A"}, {ID: "b", DisplayText: "B", Type: Copy}},
		HeaderText: "H", FooterText: "F", MediaURL: "https://example.com/a", MediaType: Video,
		Delay: 3, ReplyTo: "3EB0", ReplyPrivate: true, Source: "crm", Fallback: FallbackText,
		Menu: Menu{ExpiresIn: &hour, Policy: TakeFirst, AllowedSenders: []string{"5511999999999", "1@lid"}},
	}
	if diff := cmp.Diff(want, got); diff != "" || violations != nil {
		t.Errorf("-want +got\n%s\n%v", diff, violations)
	}
}

// TestParseSaysWhereAndWhat: each mistake of form is reported with its place and its remedy.
func TestParseSaysWhereAndWhat(t *testing.T) {
	for document, want := range map[string]string{
		``:                                      "|Invalid request body: it is empty|send a JSON object",
		`{"number":5511999999999}`:              "/number|Invalid request body: /number must be a string, not the number 5511999999999|put it in quotes",
		`{"content_text":"Hi"}`:                 `/content_text|Invalid request body: unknown member "content_text"|write contentText`,
		`{"buttons":[{"displaytext":"A"}]}`:     `/buttons/0/displaytext|Invalid request body: unknown member "displaytext"|write displayText`,
		`{"buttons":[{"id":"a"},["b"]]}`:        "/buttons/1|Invalid request body: /buttons/1 must be an object, not an array|",
		`{"delay":"3"}`:                         "/delay|Invalid request body: /delay must be a whole number, not a string|",
		`{"replyPrivate":1}`:                    "/replyPrivate|Invalid request body: /replyPrivate must be true or false, not the number 1|",
		`{"source":"a","source":"b"}`:           `/source|Invalid request body: "source" is given twice|`,
		"{\"contentText\":\"\xc3\x28\"}":        "/contentText|Invalid request body: it is not UTF-8|encode the body as UTF-8",
		strings.Repeat(`{"a":`, 65) + `1` + "}": strings.Repeat("/a", 64) + "|Invalid request body: it is nested more than 64 deep|",
	} {
		_, violations := Parse([]byte(document))
		if len(violations) != 1 {
			t.Errorf("%.40s: %+v", document, violations)
			continue
		}
		v := violations[0]
		if got := v.Pointer + "|" + v.Message + "|" + v.Suggestion; got != want || v.Code != CodeInvalidBody {
			t.Errorf("%.40s:\ngot  %s\nwant %s", document, got, want)
		}
	}
}

func compiled(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemas.Read(name)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(schemas.Base+name, doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile(schemas.Base + name)
}

// TestSchemaAgrees: the node accepts everything that the form accepts, and the form refuses
// everything that the node refuses for its content, so that nobody fills in a form only to be
// refused.
func TestSchemaAgrees(t *testing.T) {
	schema := compiled(t, schemas.SendButtonsInput)
	golden, err := filepath.Glob("testdata/encode/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	var documents []string
	for _, file := range golden {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		input, _, _ := strings.Cut(string(data), "\n---\n")
		documents = append(documents, input)
	}
	var own struct{ Examples []json.RawMessage }
	if err := json.Unmarshal(schemas.Read(schemas.SendButtonsInput), &own); err != nil {
		t.Fatal(err)
	}
	for _, example := range own.Examples {
		documents = append(documents, string(example))
	}
	x := func(n int) string { return `"` + strings.Repeat("ã", n) + `"` }
	media := []string{"mediaUrl", `"https://example.com/a"`, "mediaType", `"IMAGE"`}
	documents = append(documents,
		with("contentText", x(4096)), with("contentText", x(4097)),
		with(append(media, "contentText", x(1024))...), with(append(media, "contentText", x(1025))...),
		with("headerText", x(1024)), with("headerText", x(1025)), with("footerText", x(1024)), with("footerText", x(1025)),
		with("source", x(128)), with("source", x(129)), with("replyTo", x(128)), with("replyTo", x(129)),
		with("delay", "0"), with("delay", "300"), with("delay", "301"), with("delay", "-1"), with("delay", "3.0"), with("delay", "0.5"),
		with("instance", `"a b"`), with("instance", `"`+strings.Repeat("a", 100)+`"`), with("instance", `"`+strings.Repeat("a", 101)+`"`), with("instance", `"-a"`), with("instance", `"_"`), with("instance", `".a"`),
		with("buttons", `[{"id":"a","displayText":`+x(128)+`}]`), with("buttons", `[{"id":"a","displayText":`+x(129)+`}]`),
		with("buttons", `[{"displayText":"A","id":`+x(256)+`}]`), with("buttons", `[{"displayText":"A","id":`+x(257)+`}]`),
		with("buttons", `[{"displayText":"A","type":"COPY","id":`+x(2048)+`}]`), with("buttons", `[{"displayText":"A","type":"COPY","id":`+x(2049)+`}]`),
		with("buttons", "["+button("+55 (11) 9-1", "A", "CALL")+"]"), with("buttons", "["+button("+", "A", "CALL")+"]"), with("buttons", "["+button("+\u0665\u0665\u00a011\u20114000\u2212\uff10\u202c", "A", "CALL")+"]"), with("buttons", "["+button("1a2", "A", "CALL")+"]"),
		with("buttons", "["+button("a", "\u200b", "REPLY")+"]"), with("buttons", "["+button("a", "\u3164\ufe0f\u2800\u202f", "REPLY")+"]"), with("buttons", "["+button("a", "\u200ba", "REPLY")+"]"), with("buttons", "["+button("a", "👍\ufe0f", "REPLY")+"]"),
		with("buttons", "["+button("+1234567890123456789012345678901", "A", "CALL")+"]"),
		with("buttons", "["+button("http://example.com", "A", "URL")+"]"), with("buttons", "["+button("ftp://example.com", "A", "URL")+"]"),
		with("mediaUrl", `"https://example.com/a"`), with("mediaUrl", `"x"`, "mediaType", `"IMAGE"`),
		menu(`"expiresIn":1`), menu(`"expiresIn":7776000`), menu(`"expiresIn":0`), menu(`"expiresIn":7776001`), menu(`"expiresIn":-1`), menu(`"expiresIn":1.5`),
		menu(`"policy":"oncePerPerson"`), menu(`"policy":"once"`), menu(`"allowedSenders":["+55 11 99999-9999","1@lid","1@g.us"]`),
		menu(`"allowedSenders":["5511999999999","123@lid","5511888888888@s.whatsapp.net"]`), menu(`"allowedSenders":["120363041234567890@g.us"]`),
		menu(`"allowedSenders":[`+people(50)+`]`), menu(`"allowedSenders":[`+people(51)+`]`), menu(`"expires":1`), with("menu", "[]"),
		with("fallback", `"text"`), with("fallback", `"sms"`), with("unknown", "1"), with("buttons", "{}"),
	)
	for _, document := range documents {
		data, err := jsonschema.UnmarshalJSON(strings.NewReader(document))
		if err != nil {
			t.Fatal(err)
		}
		violations, _ := inspect(document)
		invalid := schema.Validate(data)
		if lenient := strings.Contains(document, `"type": ""`) || strings.Contains(document, `"mediaType": "image"`); lenient {
			if len(violations) > 0 {
				t.Errorf("the node is stricter than it promised: %v", violations)
			}
			continue
		}
		if (len(violations) > 0) != (invalid != nil) {
			t.Errorf("%.100s\nnode: %v\nform: %v", document, violations, invalid)
		}
	}
}

func TestPreviewMatchesSchema(t *testing.T) {
	schema := compiled(t, schemas.SendButtonsPreview)
	r, _ := Parse([]byte(with("mediaUrl", `"https://example.com/a"`, "mediaType", `"IMAGE"`)))
	to, err := recipient.Parse(r.Number)
	if err != nil {
		t.Fatal(err)
	}
	for _, preview := range []Preview{NewPreview(r, to), NewTextPreview(TextRequest{ContentText: "Hi"}, to)} {
		raw, err := json.Marshal(preview)
		if err != nil {
			t.Fatal(err)
		}
		data, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(data); err != nil {
			t.Errorf("%v\n%s", err, raw)
		}
	}
}

// FuzzParse: no input passes Validate unbounded or makes an encoder fail, and every violation has a
// message.
func FuzzParse(f *testing.F) {
	f.Add([]byte(with()))
	f.Add([]byte(with("mediaUrl", `"https://example.com/a"`, "mediaType", `"image"`, "replyTo", `"3EB0"`, "replyPrivate", "true")))
	f.Add([]byte(with("buttons", "["+button("https://example.com", "A", "URL")+","+button("+55", "B", "CALL")+","+button("C", "C", "COPY")+"]")))
	f.Add([]byte(menu(`"expiresIn":60,"policy":"first","allowedSenders":["+55 11 99999-9999"]`)))
	f.Add([]byte(`{"buttons":[{},{},{},{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, violations := Parse(data)
		if len(violations) == 0 {
			violations, _ = Validate(r)
		}
		for _, v := range violations {
			if v.Message == "" || v.Code == "" || !utf8.ValidString(v.Message) {
				t.Fatalf("%q: violation %+v", data, v)
			}
		}
		if len(violations) > 0 {
			return
		}
		if len(r.Buttons) < 1 || len(r.Buttons) > maxButtons || utf8.RuneCountInString(r.ContentText) > maxContent {
			t.Fatalf("%q passed as %+v", data, r)
		}
		for _, profile := range profiles {
			message, nodes := profile.Encode(r, sending(r))
			if err := oneBiz(message, nodes); err != nil {
				t.Fatalf("%s, %q: %v", profile, data, err)
			}
		}
		for i, b := range r.Buttons {
			if got, ok := ByLabel(r.Buttons, b.DisplayText); b.Kind() == Reply && (!ok || got != i) {
				t.Fatalf("%q: label of button %d leads to %d", data, i, got)
			}
		}
	})
}
