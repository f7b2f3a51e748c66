package engine_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// TestMasked: nothing that a customer or a flow said is left, but everything that shows how the run
// went.
func TestMasked(t *testing.T) {
	said := []string{"5511999990001", "99999-0001", "123456789", "Ana Souza", "How can we help", "987654", "https://", "my words", "secret"}
	data := map[string]any{
		"number": "+55 11 99999-0001", "contentText": "How can we help?", "instance": "shop", "messageId": "3EB0C767D097B7A3F1B2",
		"chat":    map[string]any{"jid": "5511999990001@s.whatsapp.net", "lid": "123456789@lid", "type": "direct"},
		"sender":  map[string]any{"name": "Ana Souza", "phone": "5511999990001"},
		"buttons": []any{map[string]any{"id": "billing", "displayText": "my words"}},
		"body":    map[string]any{"id": "987654", "code": 987654, "list": []any{"secret", "https://x"}, "type": "order"},
	}
	letter := engine.DeadLetter{Message: "no instance has +5511999990001", Raw: "my words", Event: engine.Event{Data: mustMarshal(t, data)}}.Masked()
	h := engine.History{Found: engine.Found{About: []string{"5511999990001", "123456789@lid", "3EB0C767D097B7A3F1B2"}}, Message: "refused for 5511999990001", Steps: []engine.HistoryStep{
		{Step: engine.Step{Kind: run.TraceRunStarted, Data: map[string]any{"type": "secret", "status": "Ana Souza"}}},
		{Step: engine.Step{Kind: run.TraceNodeStarted, Data: data, Message: "for 5511999990001"}},
		{Step: engine.Step{Kind: run.TraceWaitArmed, Data: []any{"reply:billing"}}},
	}}.Masked()
	all := string(mustMarshal(t, []any{h, letter}))
	for _, s := range said {
		if strings.Contains(all, s) {
			t.Errorf("%q is told: %s", s, all)
		}
	}
	for _, s := range []string{"…01@s.whatsapp.net", "…89@lid", `"3EB0C767D097B7A3F1B2"`, `"reply:billing"`, `"billing"`, `"shop"`, `"direct"`, `"order"`, "(16 characters)", "refused for …01"} {
		if !strings.Contains(all, s) {
			t.Errorf("%s is not told: %s", s, all)
		}
	}
}

func mustMarshal(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
