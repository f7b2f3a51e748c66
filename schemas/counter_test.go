package schemas

import (
	"errors"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestCounterExamples: invalid input fails at a place where a form can show it.
func TestCounterExamples(t *testing.T) {
	const good = `"instance":"shop-1","number":"5511999999999","contentText":"Hi"`
	const button = `"buttons":[{"id":"a","displayText":"A"}]`
	rows := []struct {
		name, file, document, pointer string
	}{
		{"no number", SendButtonsInput, `{"instance":"s","contentText":"Hi",` + button + `}`, ""},
		{"empty text", SendButtonsInput, `{"instance":"s","number":"55","contentText":"",` + button + `}`, "/contentText"},
		{"blank text", SendButtonsInput, `{"instance":"s","number":"55","contentText":"  ",` + button + `}`, "/contentText"},
		{"no buttons", SendButtonsInput, `{` + good + `,"buttons":[]}`, "/buttons"},
		{"four buttons", SendButtonsInput, `{` + good + `,"buttons":[{"id":"a","displayText":"A"},{"id":"b","displayText":"B"},{"id":"c","displayText":"C"},{"id":"d","displayText":"D"}]}`, "/buttons"},
		{"no label", SendButtonsInput, `{` + good + `,"buttons":[{"id":"a"}]}`, "/buttons/0"},
		{"type", SendButtonsInput, `{` + good + `,"buttons":[{"id":"a","displayText":"A","type":"LINK"}]}`, "/buttons/0/type"},
		{"link", SendButtonsInput, `{` + good + `,"buttons":[{"id":"example.com","displayText":"A","type":"URL"}]}`, "/buttons/0/id"},
		{"phone", SendButtonsInput, `{` + good + `,"buttons":[{"id":"call me","displayText":"A","type":"CALL"}]}`, "/buttons/0/id"},
		{"long reply id", SendButtonsInput, `{` + good + `,"buttons":[{"id":"` + strings.Repeat("x", 257) + `","displayText":"A"}]}`, "/buttons/0/id"},
		{"unknown member", SendButtonsInput, `{` + good + `,` + button + `,"colour":"red"}`, ""},
		{"media type missing", SendButtonsInput, `{` + good + `,` + button + `,"mediaUrl":"https://example.com/a.jpg"}`, ""},
		{"media type", SendButtonsInput, `{` + good + `,` + button + `,"mediaUrl":"https://example.com/a.jpg","mediaType":"AUDIO"}`, "/mediaType"},
		{"long text with media", SendButtonsInput, `{"instance":"s","number":"55","contentText":"` + strings.Repeat("x", 1025) + `",` + button + `,"mediaUrl":"https://example.com/a.jpg","mediaType":"IMAGE"}`, "/contentText"},
		{"delay in milliseconds", SendButtonsInput, `{` + good + `,` + button + `,"delay":3000}`, "/delay"},
		{"half a second", SendButtonsInput, `{` + good + `,` + button + `,"delay":0.5}`, "/delay"},
		{"fallback", SendButtonsInput, `{` + good + `,` + button + `,"fallback":"sms"}`, "/fallback"},
		{"no lifetime", SendButtonsInput, `{` + good + `,` + button + `,"menu":{"expiresIn":0}}`, "/menu/expiresIn"},
		{"policy", SendButtonsInput, `{` + good + `,` + button + `,"menu":{"policy":"once"}}`, "/menu/policy"},
		{"group as a person", SendButtonsInput, `{` + good + `,` + button + `,"menu":{"allowedSenders":["1@g.us"]}}`, "/menu/allowedSenders/0"},
		{"instance", SendButtonsInput, `{"instance":"a/b","number":"55","contentText":"Hi",` + button + `}`, "/instance"},
		{"text", SendTextInput, `{` + good + `,` + button + `}`, ""},
		{"code without phone", InstanceConnectInput, `{"instance":"s","method":"code"}`, ""},
		{"qr without content", InstanceConnectProgress, `{"stage":"qr"}`, ""},
		{"profile", Settings, `{"encoder":{"profile":"viewonce"}}`, "/encoder/profile"},
		{"server without key", Settings, `{"server":{"url":"ws://127.0.0.1:1"}}`, "/server"},
		{"root key", Settings, `{"server":{"url":"ws://127.0.0.1:1","rootKey":"00"}}`, "/server/rootKey"},
		{"data source", Settings, `{"store":{"dsn":"mysql://x"}}`, "/store/dsn"},
		{"filter", ButtonClickFilter, `{"chats":"all"}`, "/chats"},
		{"status", MessageStatusFilter, `{"states":["intent"]}`, "/states/0"},
		{"status without a state", MessageStatus, `{"instance":"s"}`, ""},
		{"pause without an end", Settings, `{"newContacts":{"lockHours":0}}`, "/newContacts/lockHours"},
		{"keyword", MessageReceivedFilter, `{"keywords":[" "]}`, "/keywords/0"},
		{"refusal", ButtonClicked, `{"instance":"s","messageId":"3A","clickedAt":"2026-11-22T13:05:00Z","chat":{"jid":"1@lid","lid":null,"phone":null,"type":"private"},"sender":{"jid":"1@lid","lid":null,"phone":null,"name":""},"button":{"id":"a","displayText":"A","index":0},"menu":null,"matchedBy":"quote","ambiguous":false,"click":{"first":false,"n":0,"lateByMs":0,"refused":"late"},"form":"text","rawId":""}`, "/click/refused"},
		{"event without menu", ButtonClicked, `{"instance":"s"}`, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			document, err := jsonschema.UnmarshalJSON(strings.NewReader(row.document))
			if err != nil {
				t.Fatal(err)
			}
			err = compile(t, row.file).Validate(document)
			var invalid *jsonschema.ValidationError
			if !errors.As(err, &invalid) {
				t.Fatalf("passed: %s (%v)", row.document, err)
			}
			if got := leaves(invalid); len(got) != 1 || got[0] != row.pointer {
				t.Errorf("failed at %q, want only %q: %v", got, row.pointer, err)
			}
		})
	}
}

// leaves returns the places, without duplicates, at which a validation failed.
func leaves(err *jsonschema.ValidationError) []string {
	seen := map[string]bool{}
	var found []string
	var visit func(*jsonschema.ValidationError)
	visit = func(e *jsonschema.ValidationError) {
		for _, cause := range e.Causes {
			visit(cause)
		}
		if len(e.Causes) > 0 {
			return
		}
		pointer := ""
		for _, part := range e.InstanceLocation {
			pointer += "/" + part
		}
		if !seen[pointer] {
			seen[pointer] = true
			found = append(found, pointer)
		}
	}
	visit(err)
	return found
}
