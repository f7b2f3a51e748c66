package cli

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

// TestV1Examples: each example needs one draft and one run to show a message on the simulated
// phone.
func TestV1Examples(t *testing.T) {
	s := serveWith(t, "--simulate", "--listen", "127.0.0.1:0")
	s.token = s.until(t, `account token, shown only now: (\S+)`)
	go s.drain()
	var all struct {
		Examples []struct {
			ID, Name, Summary, Source string
			People                    []string
			Start                     map[string]any
		}
	}
	_, body := s.do(t, "GET", "/v1/examples", "")
	if err := json.Unmarshal([]byte(body), &all); err != nil || len(all.Examples) < 7 {
		t.Fatalf("%v: %s", err, body)
	}
	for _, e := range all.Examples {
		if e.Name == "" || len(e.Summary) < 20 || strings.Contains(e.Summary, "#") {
			t.Errorf("%s: %q %q", e.ID, e.Name, e.Summary)
		}
		for _, number := range e.People {
			if status, body := s.do(t, "POST", "/sim/v1/phones", `{"number":"`+number+`"}`); status >= 300 && status != 409 {
				t.Fatalf("%s: %d %s", number, status, body)
			}
		}
		var draft struct {
			Version int
			Valid   bool
		}
		status, body := s.do(t, "PUT", "/v1/flows/"+e.ID+"/draft", e.Source, "Content-Type", "application/yaml")
		if err := json.Unmarshal([]byte(body), &draft); err != nil || status != 201 || !draft.Valid || !strings.Contains(body, `"findings":[]`) {
			t.Fatalf("%s: %d %s", e.ID, status, body)
		}
		start := map[string]any{"version": draft.Version}
		maps.Copy(start, e.Start)
		asked, err := json.Marshal(start)
		if err != nil {
			t.Fatal(err)
		}
		var run struct{ Run string }
		status, body = s.do(t, "POST", "/v1/flows/"+e.ID+"/runs", string(asked))
		if err := json.Unmarshal([]byte(body), &run); err != nil || status != 201 {
			t.Fatalf("%s: %d %s", e.ID, status, body)
		}
		deadline(t, func() bool {
			_, body := s.do(t, "GET", "/v1/runs/"+run.Run, "")
			if strings.Contains(body, `"status":"failed"`) {
				t.Fatalf("%s: %s", e.ID, body)
			}
			return strings.Contains(body, `"messageId":"`)
		})
		// nobody here answers the other people that an example asks
		if status, body := s.do(t, "POST", "/v1/runs/"+run.Run+"/cancel", ""); status != 200 {
			t.Errorf("%s: %d %s", e.ID, status, body)
		}
	}
}
