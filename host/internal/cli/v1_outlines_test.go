package cli

import (
	"encoding/json"
	"testing"
)

// TestV1Outlines: every flow is listed once, whatever the page size, and a step shows the instance
// that it names.
func TestV1Outlines(t *testing.T) {
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	if status, body := s.do(t, "PUT", "/v1/flows/aaa/draft", "metadata: {id: aaa, name: First}\nnodes:\n  - {id: half, type: log@1}\n", "Content-Type", "application/yaml"); status >= 300 {
		t.Fatal(status, body)
	}
	type step struct {
		ID, Type, Instance string
		Trigger            bool
	}
	type page struct {
		Flows []struct {
			Flow, Name, State string
			Version           int
			Steps             []step
		}
		Next string
	}
	seen := map[string][]step{}
	for after, pages := "", 0; ; pages++ {
		var p page
		status, body := s.do(t, "GET", "/v1/steps?limit=1&after="+after, "")
		if err := json.Unmarshal([]byte(body), &p); err != nil || status != 200 || len(p.Flows) != 1 || pages > 20 {
			t.Fatal(status, body, err)
		}
		f := p.Flows[0]
		if seen[f.Flow] != nil {
			t.Fatalf("%s comes twice", f.Flow)
		}
		seen[f.Flow] = f.Steps
		if f.Flow == "aaa" && (f.State != "draft" || f.Name != "First") {
			t.Errorf("the draft: %s", body)
		}
		if after = p.Next; after == "" {
			break
		}
	}
	if got := seen["aaa"]; len(got) != 1 || got[0] != (step{ID: "half", Type: "log@1"}) {
		t.Errorf("the steps of a draft that cannot run: %+v", got)
	}
	var asks bool
	for _, one := range seen["menu"] {
		asks = asks || one.ID == "ask" && one.Instance == "demo" // from the default of a variable
	}
	if !asks {
		t.Errorf("the steps of the menu: %+v", seen["menu"])
	}
}
