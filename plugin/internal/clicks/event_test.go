package clicks

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/schemas"
)

func readSchema(t *testing.T, name string) (map[string]any, *jsonschema.Schema) {
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
	return doc.(map[string]any), c.MustCompile(schemas.Base + name)
}

// TestEventsMatchSchemas: the structs have exactly the members the schemas
// describe, at every depth, and real events validate.
func TestEventsMatchSchemas(t *testing.T) {
	ana := Menu{MessageID: menuID, Chat: []string{anaLID}, SentAt: noon, Source: "crm", Correlation: "run-1", Buttons: yesNo()}
	tap, _ := readClick(interactive(`{"id":"yes"}`, "Yes", menuID), fromAna())
	words, _ := readReceived(text("Hello", "3A00"), inGroup())
	rows := []struct {
		schema string
		events []any
	}{
		{schemas.ButtonClicked, []any{
			NewClicked("shop-1", tap, Correlate(tap, []Menu{ana})),
			NewClicked("shop-1", tap, Correlate(tap, nil)),
		}},
		{schemas.MessageReceived, []any{
			NewMessageReceived("shop-1", words, Answers(words.Click(), []Menu{ana})),
			NewMessageReceived("shop-1", words, Match{Menu: &ana, Index: -1, MatchedBy: ByChat}),
		}},
	}
	for _, row := range rows {
		document, schema := readSchema(t, row.schema)
		if diff := cmp.Diff(schemaMembers(document, ""), structMembers(reflect.TypeOf(row.events[0]), "")); diff != "" {
			t.Errorf("%s: -schema +struct\n%s", row.schema, diff)
		}
		for _, event := range row.events {
			data, err := jsonschema.UnmarshalJSON(strings.NewReader(mustJSON(t, event)))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(data); err != nil {
				t.Errorf("%v\n%s", err, mustJSON(t, event))
			}
		}
	}
}

// schemaMembers lists the properties of a schema as paths.
func schemaMembers(schema map[string]any, at string) []string {
	properties, _ := schema["properties"].(map[string]any)
	var paths []string
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		paths = append(paths, at+"/"+name)
		paths = append(paths, schemaMembers(properties[name].(map[string]any), at+"/"+name)...)
	}
	slices.Sort(paths)
	return paths
}

// structMembers lists the JSON members of a struct as paths.
func structMembers(t reflect.Type, at string) []string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.Implements(reflect.TypeFor[json.Marshaler]()) {
		return nil
	}
	var paths []string
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous {
			paths = append(paths, structMembers(field.Type, at)...)
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		paths = append(paths, at+"/"+name)
		paths = append(paths, structMembers(field.Type, at+"/"+name)...)
	}
	slices.Sort(paths)
	return paths
}

// TestClickedTrustsTheMenu: id and label come from the menu that was sent; what the sender claims
// is only in rawId.
func TestClickedTrustsTheMenu(t *testing.T) {
	menu := Menu{MessageID: menuID, Chat: []string{anaLID}, SentAt: noon, Source: "crm", Correlation: "run-1", Buttons: yesNo(), AsText: true}
	tap, _ := readClick(interactive(`{"id":"yes","display_text":"Refund everything"}`, "", menuID), fromAna())
	e := NewClicked("shop-1", tap, Correlate(tap, []Menu{menu}))
	if e.Button.ID != "yes" || e.Button.DisplayText != "Yes" || e.Button.Index == nil || *e.Button.Index != 1 || e.RawID != "yes" {
		t.Errorf("tap: %s", mustJSON(t, e))
	}
	if e.Menu == nil || *e.Menu != (MenuRef{MessageID: menuID, SentAt: noon, Source: "crm", Correlation: "run-1"}) {
		t.Errorf("menu: %s", mustJSON(t, e.Menu))
	}
	typed, _ := readClick(text("2", ""), fromAna())
	if e = NewClicked("shop-1", typed, Correlate(typed, []Menu{menu})); e.Button.ID != "no" || e.RawID != "2" || e.MatchedBy != ByText {
		t.Errorf("typed: %s", mustJSON(t, e))
	}
	if !IsClick(tap, Correlate(tap, nil)) || IsClick(typed, Correlate(typed, nil)) || !IsClick(typed, Correlate(typed, []Menu{menu})) {
		t.Error("a tap is always a click, words only on a menu")
	}
}

func TestReceived(t *testing.T) {
	caption := proto.String("Look")
	for name, row := range map[string]struct {
		message *waE2E.Message
		kind    Kind
		text    string
	}{
		"text":     {text("Hi", ""), KindText, "Hi"},
		"quoting":  {text("Hi", menuID), KindText, "Hi"},
		"image":    {&waE2E.Message{ImageMessage: &waE2E.ImageMessage{Caption: caption}}, KindImage, "Look"},
		"video":    {&waE2E.Message{VideoMessage: &waE2E.VideoMessage{Caption: caption}}, KindVideo, "Look"},
		"note":     {&waE2E.Message{PtvMessage: &waE2E.VideoMessage{}}, KindVideo, ""},
		"audio":    {&waE2E.Message{AudioMessage: &waE2E.AudioMessage{}}, KindAudio, ""},
		"document": {&waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{Caption: caption}}}}, KindDocument, "Look"},
		"sticker":  {&waE2E.Message{StickerMessage: &waE2E.StickerMessage{}}, KindSticker, ""},
		"place":    {&waE2E.Message{LocationMessage: &waE2E.LocationMessage{Name: proto.String("Home")}}, KindLocation, "Home"},
		"contact":  {&waE2E.Message{ContactMessage: &waE2E.ContactMessage{DisplayName: proto.String("Bob")}}, KindContact, "Bob"},
		"response": {interactive("{}", "Yes", menuID), KindOther, "Yes"},
		"order":    {&waE2E.Message{OrderMessage: &waE2E.OrderMessage{Message: proto.String("2 pizzas")}}, KindOther, "2 pizzas"},
		"keys":     {&waE2E.Message{SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{}}, "", ""},
		"protocol": {&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{}}, "", ""},
		"reaction": {&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Text: caption}}, "", ""},
		"edit":     {&waE2E.Message{EditedMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{EditedMessage: text("Hi", "")}}}}, "", ""},
	} {
		r, ok := readReceived(row.message, fromAna())
		if ok != (row.kind != "") || r.Kind != row.kind || r.Text != row.text {
			t.Errorf("%s: %+v, %v", name, r, ok)
		}
	}
	long, _ := readReceived(text(strings.Repeat("ã", maxText+5), ""), fromAna())
	if got := len([]rune(long.Text)); got != maxText {
		t.Errorf("a text of %d characters", got)
	}
	own := fromAna()
	own.IsFromMe = true
	if _, ok := readReceived(text("Hi", ""), own); ok {
		t.Error("our own message was received")
	}
}
