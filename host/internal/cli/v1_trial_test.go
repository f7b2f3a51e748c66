package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestV1Trial: an unpublished draft starts on the simulated phone, by hand or by an event. If it is
// replaced while its run waits for a tap, the run continues as it began.
func TestV1Trial(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	const draft = `apiVersion: flow/v1
kind: Flow
metadata: {id: hello}
triggers:
  - {id: start, type: manual, to: ask}
  - {id: words, type: whatsapp.messageReceived@1, match: {keywords: [hi]}, vars: {phone: "${ event.chat.phone }"}, to: ask}
vars: {type: object, properties: {phone: {type: string, default: "5511999990001"}}}
nodes:
  - id: ask
    type: whatsapp.sendButtons@1
    with: {instance: demo, number: "${ vars.phone }", contentText: "Which one?", buttons: [{id: a, displayText: A}]}
    wait: {timeout: 1h}
  - {id: thanks, type: whatsapp.sendText@1, with: {instance: demo, number: "${ vars.phone }", contentText: Thank you for A}}
edges: [{from: "ask.reply:a", to: thanks}]
`
	yaml := []string{"Content-Type", "application/yaml"}
	begin := func(want int, body, says string) (run string) {
		t.Helper()
		status, answer := s.do(t, "POST", "/v1/flows/hello/runs", body)
		var started struct{ Run string }
		_ = json.Unmarshal([]byte(answer), &started)
		if status != want || !strings.Contains(answer, says) || (want == 201) != (started.Run != "") {
			t.Fatalf("%s: %d %s", body, status, answer)
		}
		return started.Run
	}
	reaches := func(run, text string) {
		t.Helper()
		deadline(t, func() bool {
			_, answer := s.do(t, "GET", "/v1/runs/"+run, "")
			return strings.Contains(answer, text) && strings.Contains(answer, `"trial":true`)
		})
	}
	begin(404, `{"version":1}`, "not_found")
	s.do(t, "PUT", "/v1/flows/hello/draft", strings.Replace(draft, "sendButtons@1", "sendButons@1", 1), yaml...)
	begin(422, `{"version":1}`, `"code":"invalid_flow","detail":"the flow cannot run","errors":[{"pointer":"/nodes/0/type","node":"ask"`)
	s.do(t, "PUT", "/v1/flows/hello/draft", draft, yaml...)
	begin(404, `{}`, "unknown_flow")
	begin(422, `{"version":-1}`, "/version")
	begin(422, `{"version":1,"trigger":"wrods"}`, `"code":"invalid_event","detail":"no run can start with this event","errors":[{"pointer":"/trigger","severity":"error","code":"unknown_trigger"`)
	begin(422, `{"version":1,"trigger":"words","event":{"text":"hi"}}`, `"pointer":"/event/chat"`)
	begin(422, `{"version":1,"vars":{"phone":1}}`, `"code":"invalid_variables"`)
	event := func(text string) string {
		who := `{"jid":"5511999990777@s.whatsapp.net","lid":null,"phone":"5511999990777","name":"Bia","type":"private"}`
		return fmt.Sprintf(`{"version":1,"trigger":"words","event":{"instance":"demo","messageId":"3A","receivedAt":"2026-11-22T13:06:00Z","chat":%s,"sender":%s,"kind":"text","text":%q,"quotedMessageId":null,"menu":null,"matchedBy":"none"}}`, who, who, text)
	}
	begin(422, event("good bye"), "not_taken")
	if status, body := s.do(t, "POST", "/sim/v1/phones", `{"number":"5511999990777","name":"Bia"}`); status >= 300 {
		t.Fatal(status, body)
	}
	byHand, byEvent := begin(201, `{"version":1}`, ""), begin(201, event("Hi!"), "")
	reaches(byHand, `"step":"wait.armed"`)
	reaches(byEvent, `"step":"wait.armed"`)
	if status, body := s.do(t, "PUT", "/v1/flows/hello/draft", strings.Replace(draft, "Thank you", "Sorry", 1), yaml...); status != 201 || !strings.Contains(body, `"version":2`) {
		t.Errorf("the next draft: %d %s", status, body)
	}
	for phone, run := range map[string]string{"5511999990001": byHand, "5511999990777": byEvent} {
		if status, body := s.do(t, "POST", "/sim/v1/phones/"+phone+"/click?wait=10s", `{"buttonId":"a"}`); status >= 300 {
			t.Fatalf("tap: %d %s", status, body)
		}
		reaches(run, `"status":"succeeded"`)
		deadline(t, func() bool {
			_, inbox := s.do(t, "GET", "/sim/v1/phones/"+phone+"/inbox", "")
			return strings.Contains(inbox, "Thank you for A")
		})
	}
	if _, body := s.do(t, "GET", "/v1/runs?trial=true", ""); !strings.Contains(body, byHand) || !strings.Contains(body, byEvent) || strings.Contains(body, `"flow":"menu"`) {
		t.Errorf("trials: %s", body)
	}
	if _, body := s.do(t, "GET", "/v1/runs?trial=false", ""); strings.Contains(body, byHand) || !strings.Contains(body, `"flow":"menu"`) {
		t.Errorf("others: %s", body)
	}
	_, versions := s.do(t, "GET", "/v1/flows/hello/versions", "")
	if !strings.Contains(versions, `"state":"trial","version":1`) || !strings.Contains(versions, `"state":"draft","version":2`) {
		t.Errorf("versions: %s", versions)
	}
}
