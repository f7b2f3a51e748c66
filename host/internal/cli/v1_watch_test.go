package cli

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// eventsOf reads server-sent events as a signed-in browser does.
func (s *served) eventsOf(t *testing.T, cookie, path, last string) (next func(name, holds string) (id string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a stream never ends by itself
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Cookie": cookie, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Accept": "text/event-stream", "Last-Event-ID": last} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s: %s %v", path, res.Status, res.Header)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	return func(name, holds string) string {
		t.Helper()
		var id, event string
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case field == "id":
				id = value
			case field == "event":
				event = value
			case field == "data" && event == name && strings.Contains(value, holds):
				return id
			case field == "":
				id, event = "", ""
			}
		}
		t.Fatalf("%s ended before an event %s with %s: %v", path, name, holds, lines.Err())
		return ""
	}
}

// TestV1Watch: one stream tells a signed-in page about runs, flows and instances, and resumes where
// it was; so do the streams of a run and of events.
func TestV1Watch(t *testing.T) {
	s := serveSimulated(t)
	_, code, _ := strings.Cut(s.until(t, `open it in a browser, once, until [\d:]+: (http://\S+)`), "#code=")
	s.until(t, `wait.armed +ask`)
	go s.drain()
	_, header, body := s.asked(t, "POST", "/v1/session", `{"code":"`+code+`"}`, "Sec-Fetch-Site", "same-origin")
	cookie, _, _ := strings.Cut(header.Get("Set-Cookie"), ";")
	if cookie == "" {
		t.Fatal(body)
	}
	next := s.eventsOf(t, cookie, "/v1/watch?flow=menu,hello", "")
	next("opened", `"sequence":`)
	next("flow", `{"flow":"menu","etag":`)
	next("flow", `{"flow":"hello","etag":`)
	const hello = "apiVersion: flow/v1\nkind: Flow\nmetadata: {id: hello}\ntriggers: [{id: start, type: manual, to: say}]\nnodes: [{id: say, type: log@1, with: {message: hi}}]\n"
	s.do(t, "PUT", "/v1/flows/hello/draft", "nonsense", "Content-Type", "application/yaml")
	next("flow", `"state":"draft"`)
	s.do(t, "PUT", "/v1/flows/hello/draft", hello, "Content-Type", "application/yaml")
	next("flow", `"state":"draft"`)
	_, answer := s.do(t, "POST", "/v1/flows/hello/runs", `{"version":1}`)
	run := strings.Split(answer, `"`)[3]
	first := next("step", `"step":"run.started"`)
	last := next("step", `"step":"run.finished"`)
	if first == "" || last == "" || first == last {
		t.Errorf("the steps are %q and %q", first, last)
	}
	if status, body := s.do(t, "POST", "/v1/instances/demo/disconnect", ""); status != 200 {
		t.Fatal(status, body)
	}
	next("instance", `"state"`)

	again := s.eventsOf(t, cookie, "/v1/watch?run="+run, first)
	if id := again("step", `"step":"node.started"`); id <= first {
		t.Errorf("it goes on with %q, behind %q", id, first)
	}
	again("step", `"step":"run.finished"`)
	steps := s.eventsOf(t, cookie, "/v1/runs/"+run+"/steps", first)
	steps("step", `"step":"run.finished"`)
	if status, _ := s.do(t, "GET", "/v1/runs/"+run+"/steps", "", "Accept", "text/event-stream", "Last-Event-ID", last); status != 204 {
		t.Errorf("all was told, and the answer is %d", status)
	}
	opened := s.eventsOf(t, cookie, "/v1/events?after=0", "")
	event := opened("message", `"whatsapp.instance.state.v1"`)
	s.eventsOf(t, cookie, "/v1/events", event)("message", `"state":"disconnected"`)
	for path, want := range map[string]int{"/v1/watch?run=" + strings.Repeat("r,", 21): 400, "/v1/watch?reveal=true": 403, "/v1/watch?run=a&run=b": 400} {
		if status, body := s.do(t, "GET", path, ""); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
