package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestV1Drafts: an edit of a flow that somebody else has changed meanwhile is refused, and nothing
// is overwritten.
func TestV1Drafts(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	flow := func(message string) string {
		return "apiVersion: flow/v1\nkind: Flow\nmetadata: {id: hello}\ntriggers: [{id: start, type: manual, to: say}]\nnodes: [{id: say, type: log@1, with: {message: " + message + "}}]\n"
	}
	ask := func(method, path, body string, header ...string) (int, http.Header, string) {
		t.Helper()
		return s.asked(t, method, path, body, append(header, "Content-Type", "application/yaml")...)
	}
	status, first, body := ask("PUT", "/v1/flows/hello/draft", flow("one"))
	if status != 201 || first.Get("ETag") == "" {
		t.Fatal(status, first, body)
	}
	status, seen, body := s.asked(t, "GET", "/v1/flows/hello/draft", "")
	if status != 200 || body != strings.TrimSpace(flow("one")) || seen.Get("ETag") != first.Get("ETag") {
		t.Errorf("the draft: %d %v %s", status, seen, body)
	}
	if status, _, _ := s.asked(t, "GET", "/v1/flows/hello/draft", "", "If-None-Match", seen.Get("ETag")); status != 304 {
		t.Errorf("the same again: %d", status)
	}
	status, second, body := ask("PUT", "/v1/flows/hello/draft", flow("two"), "If-Match", seen.Get("ETag"))
	if status != 201 || second.Get("ETag") == seen.Get("ETag") {
		t.Errorf("a change of what was seen: %d %s", status, body)
	}
	status, _, body = ask("PUT", "/v1/flows/hello/draft", flow("three"), "If-Match", seen.Get("ETag"))
	if status != 412 || !strings.Contains(body, `"code":"changed"`) {
		t.Errorf("a change of what was changed: %d %s", status, body)
	}
	if !strings.Contains(body, " by account") {
		t.Errorf("nobody says who it was: %s", body)
	}
	if status, header, body := ask("PUT", "/v1/flows/hello/draft", flow("two"), "If-None-Match", "*"); status != 412 || header.Get("ETag") != second.Get("ETag") {
		t.Errorf("a first draft where there is one: %d %s", status, body)
	}
	if status, _, body := ask("PUT", "/v1/flows/hello/draft", flow("two"), "If-Match", second.Get("ETag")); status != 200 || !strings.Contains(body, `"new":false,"valid":true,"findings":[]`) {
		t.Errorf("the same again: %d %s", status, body)
	}
	if status, _, body := ask("POST", "/v1/flows/validate", strings.Replace(flow("x"), "log@1", "lgo@1", 1)); status != 200 || !strings.Contains(body, `"valid":false`) {
		t.Errorf("a check: %d %s", status, body)
	}
	_, versions, body := s.asked(t, "GET", "/v1/flows/hello/versions", "")
	if status, _, body := s.asked(t, "POST", "/v1/flows/hello/versions/1/publish", "", "If-Match", `"older"`); status != 412 {
		t.Errorf("publish of what was changed: %d %s", status, body)
	}
	var kept struct {
		Versions []struct {
			Version int
			State   string
		}
	}
	if err := json.Unmarshal([]byte(body), &kept); err != nil || len(kept.Versions) != 1 || kept.Versions[0].State != "draft" {
		t.Fatalf("%+v %v", kept, err)
	}
	number := "/v1/flows/hello/versions/" + string(rune('0'+kept.Versions[0].Version))
	if status, _, body := s.asked(t, "POST", number+"/publish", "", "If-Match", versions.Get("ETag")); status != 200 || !strings.Contains(body, `"state":"published"`) {
		t.Errorf("publish of what was seen: %d %s", status, body)
	}
	if status, _, body := s.asked(t, "POST", "/v1/flows/hello/retire", "", "If-Match", versions.Get("ETag")); status != 412 {
		t.Errorf("retire of what was changed: %d %s", status, body)
	}
}

// TestV1UnfitDrafts: a draft that cannot run yet is stored as it is, with its errors, and can be
// neither published nor run.
func TestV1UnfitDrafts(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	const good = "apiVersion: flow/v1\nkind: Flow\nmetadata: {id: hello, name: Greeting}\ntriggers: [{id: start, type: manual, to: say}]\nnodes: [{id: say, type: log@1, with: {message: hi}}]\n"
	yaml := []string{"Content-Type", "application/yaml"}
	for _, c := range []struct{ name, file, finding string }{
		{"an unknown operation", strings.Replace(good, "log@1", "lgo@1", 1), `"pointer":"/nodes/0/type","node":"say","line":5`},
		{"another flow's file", strings.Replace(good, "id: hello", "id: other", 1), `"pointer":"/metadata/id","line":3,"severity":"error","code":"another_flow"`},
		{"another flow's, and wrong", strings.NewReplacer("id: hello", "id: other", "log@1", "lgo@1").Replace(good), `"code":"another_flow"`},
		{"no shape", "nodes: 1\n", `"pointer":"/nodes","line":1`},
		{"no YAML", good + "edges: [{from: ]\n", `"line":6,"column":1,"severity":"error","code":"syntax"`},
		{"no JSON", "{\n  \"kind\": \"Flow\",\n  ,\n", `"line":3,"column":3,"severity":"error","code":"syntax"`},
		{"nothing", "", `"code":"empty"`},
		{"no text", "apiVersion: \xff", `"line":1,"column":13,"severity":"error","code":"invalid_utf8"`},
	} {
		status, _, body := s.asked(t, "PUT", "/v1/flows/hello/draft", c.file, yaml...)
		if status != 200 && status != 201 || !strings.Contains(body, `"valid":false`) || !strings.Contains(body, c.finding) || !strings.Contains(body, `"version":1,`) {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
		if status, body := s.do(t, "POST", "/v1/flows/validate", c.file, yaml...); status != 200 || c.name != "another flow's file" && (!strings.Contains(body, `"valid":false`) || c.name != "another flow's, and wrong" && !strings.Contains(body, c.finding)) {
			t.Errorf("%s, checked: %d %s", c.name, status, body)
		}
		if status, _, body := s.asked(t, "GET", "/v1/flows/hello/draft", ""); status != 200 || body != strings.TrimSpace(c.file) {
			t.Errorf("%s: kept as %d %q", c.name, status, body)
		}
		if status, body := s.do(t, "POST", "/v1/flows/hello/versions/1/publish", ""); status != 422 || !strings.Contains(body, c.finding) {
			t.Errorf("%s, published: %d %s", c.name, status, body)
		}
	}
	if status, body := s.do(t, "PUT", "/v1/flows/hello/draft", strings.Repeat("#", 1<<20+1), yaml...); status != 422 || !strings.Contains(body, "too_large") {
		t.Errorf("too large: %d %s", status, body)
	}
	if status, body := s.do(t, "PUT", "/v1/flows/No/draft", good, yaml...); status != 422 || !strings.Contains(body, "invalid_id") {
		t.Errorf("no name of a flow: %d %s", status, body)
	}
	list := func(state string) string {
		t.Helper()
		_, body := s.do(t, "GET", "/v1/flows?state="+state, "")
		var all struct {
			Flows []struct {
				Flow, Name, State string
				Newest, Waiting   int
				Draft, Published  *struct {
					Version int
					By      string
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &all); err != nil {
			t.Fatal(body, err)
		}
		var got []string
		for _, f := range all.Flows {
			text := fmt.Sprintf("%s %q %s newest %d waiting %d", f.Flow, f.Name, f.State, f.Newest, f.Waiting)
			if f.Draft != nil {
				text += fmt.Sprintf(" draft %d by %s", f.Draft.Version, f.Draft.By)
			}
			if f.Published != nil {
				text += fmt.Sprintf(" published %d", f.Published.Version)
			}
			got = append(got, text)
		}
		return strings.Join(got, "; ")
	}
	want := func(state, want string) {
		t.Helper()
		if got := list(state); got != want {
			t.Errorf("%s: %s\nwant %s", state, got, want)
		}
	}
	const menu = `menu "Support menu" published newest 1 waiting 1 published 1`
	want("all", `hello "Greeting" draft newest 1 waiting 0 draft 1 by account; `+menu)
	want("draft", `hello "Greeting" draft newest 1 waiting 0 draft 1 by account`)
	want("published", menu)
	want("", menu)
	s.do(t, "PUT", "/v1/flows/hello/draft", good, yaml...)
	if status, body := s.do(t, "POST", "/v1/flows/hello/versions/1/publish", ""); status != 200 {
		t.Fatal(status, body)
	}
	moved := good + "ui: {nodes: {say: {x: 1, y: 1}}}\n"
	if status, body := s.do(t, "PUT", "/v1/flows/hello/draft", moved, yaml...); status != 201 || !strings.Contains(body, `"version":2`) {
		t.Errorf("moved on the canvas: %d %s", status, body)
	}
	want("draft", `hello "Greeting" published newest 2 waiting 0 draft 2 by account published 1`)
	if status, body := s.do(t, "PUT", "/v1/flows/hello/draft", good, yaml...); status != 200 || !strings.Contains(body, `"state":"published"`) {
		t.Errorf("back to what is published: %d %s", status, body)
	}
	want("draft", "")
	s.do(t, "PUT", "/v1/flows/hello/draft", moved, yaml...)
	if status, body := s.do(t, "DELETE", "/v1/flows/hello/draft", "", "If-Match", `"other"`); status != 412 {
		t.Errorf("another draft dropped: %d %s", status, body)
	}
	if status, body := s.do(t, "DELETE", "/v1/flows/hello/draft", ""); status != 204 {
		t.Errorf("dropped: %d %s", status, body)
	}
	if status, body := s.do(t, "DELETE", "/v1/flows/hello/draft", ""); status != 404 {
		t.Errorf("dropped again: %d %s", status, body)
	}
	s.do(t, "POST", "/v1/flows/hello/retire", "")
	want("retired", `hello "Greeting" retired newest 1 waiting 0`)
	want("all", `hello "Greeting" retired newest 1 waiting 0; `+menu)
}

// TestV1Steps: a run can be followed as events, and a reader that reconnects continues where it
// was.
func TestV1Steps(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	s.publish(t, "apiVersion: flow/v1\nkind: Flow\nmetadata: {id: hello}\ntriggers: [{id: start, type: manual, to: say}]\nnodes: [{id: say, type: log@1, with: {message: hi}}]\n")
	_, body := s.do(t, "POST", "/v1/flows/hello/runs", "", "Idempotency-Key", "k")
	if _, again := s.do(t, "POST", "/v1/flows/hello/runs", "{}", "Idempotency-Key", "k"); again != body {
		t.Errorf("the same key: %s, then %s", body, again)
	}
	var started struct{ Run string }
	if err := json.Unmarshal([]byte(body), &started); err != nil {
		t.Fatal(body, err)
	}
	follow := func(header ...string) string {
		t.Helper()
		status, seen, body := s.asked(t, "GET", "/v1/runs/"+started.Run+"/steps", "", append(header, "Accept", "text/event-stream")...)
		if status != 200 || seen.Get("Content-Type") != "text/event-stream" || !strings.Contains(body, `"step":"run.finished"`) {
			t.Fatalf("%d %v %s", status, seen, body)
		}
		return body
	}
	all := strings.Split(follow(), "\n\n")
	if len(all) < 4 || !strings.HasPrefix(all[0], "id: ") || !strings.Contains(all[0], "\nevent: step\ndata: {") {
		t.Fatalf("%q", all)
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(all[1], "id: "), "\n")
	if rest := follow("Last-Event-ID", id); rest != strings.Join(all[2:], "\n\n") {
		t.Errorf("behind %s: %s", id, rest)
	}
	if status, lines := s.do(t, "GET", "/v1/runs/"+started.Run+"/steps", ""); status != 200 || strings.Count(lines, "\n")+1 != len(all) {
		t.Errorf("as lines: %d %s", status, lines)
	}
}

// TestV1Clicks: the people who tapped a button are found by menu and button; their numbers are
// shown only on request and with the right.
func TestV1Clicks(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	for _, button := range []string{"billing", "support"} {
		if status, body := s.do(t, "POST", "/sim/v1/phones/5511999990001/click?wait=10s", `{"buttonId":"`+button+`"}`); status >= 300 {
			t.Fatal(status, body)
		}
	}
	type page struct {
		Clicks []struct {
			Sequence            uint64
			Instance, MessageID string
			Button              struct{ ID string }
			Menu                struct{ MessageID string }
			Sender              *struct{ Phone string }
		}
		Next string
	}
	read := func(query string) (p page) {
		t.Helper()
		status, body := s.do(t, "GET", "/v1/clicks"+query, "")
		if err := json.Unmarshal([]byte(body), &p); err != nil || status != 200 || strings.Contains(body, "5511999990001") {
			t.Fatal(status, body, err)
		}
		return p
	}
	deadline(t, func() bool { return len(read("").Clicks) == 2 })
	all := read("").Clicks
	first := read("?limit=1")
	if len(first.Clicks) != 1 || first.Clicks[0].Sequence != all[0].Sequence || first.Next == "" {
		t.Errorf("the first page: %+v", first)
	}
	if rest := read("?limit=1&after=" + first.Next); len(rest.Clicks) != 1 || rest.Clicks[0].Sequence != all[1].Sequence {
		t.Errorf("the next: %+v", rest)
	}
	tapped := all[0]
	if found := read("?instance=demo&button=" + tapped.Button.ID + "&message=" + tapped.Menu.MessageID); len(found.Clicks) != 1 || found.Clicks[0].MessageID != tapped.MessageID {
		t.Errorf("found %+v", found)
	}
	for _, query := range []string{"?instance=nobody", "?button=sales", "?message=none"} {
		if found := read(query); len(found.Clicks) != 0 {
			t.Errorf("%s: %+v", query, found)
		}
	}
	if status, body := s.do(t, "GET", "/v1/clicks?reveal=true", ""); status != 403 {
		t.Errorf("reveal: %d %s", status, body)
	}
	_, body := s.do(t, "POST", "/v1/tokens", `{"scopes":["read"],"instances":["other"]}`)
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(body), &made); err != nil {
		t.Fatal(body, err)
	}
	s.token = made.Token
	if found := read(""); len(found.Clicks) != 0 {
		t.Errorf("of another instance: %+v", found)
	}
	if status, body := s.do(t, "GET", "/v1/clicks?instance=demo", ""); status != 403 {
		t.Errorf("another's: %d %s", status, body)
	}
}

// TestV1Pairing: an instance is created and paired over HTTP. The stream says what the phone needs,
// and ends with the instance connected. The instance's token works for it, and not for others.
func TestV1Pairing(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	const number = "5511300000077"
	s.ask(t, "", "POST", "/sim/v1/accounts", `{"number":"`+number+`","name":"Shop"}`).wants(t, 201)
	status, body := s.do(t, "POST", "/v1/instances", `{"name":"shop"}`, "Idempotency-Key", "first")
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != 201 || made.Token == "" {
		t.Fatal(status, body)
	}
	if status, body := s.do(t, "POST", "/v1/instances", `{"name":"shop"}`); status != 409 {
		t.Errorf("again: %d %s", status, body)
	}
	if status, body := s.do(t, "POST", "/v1/instances", `{"name":"shop"}`, "Idempotency-Key", "first"); status != 409 || !strings.Contains(body, "answer_not_kept") {
		t.Errorf("again, under its key: %d %s", status, body)
	}
	if status, body := s.do(t, "POST", "/v1/instances", `{"name":"a b"}`); status != 400 || !strings.Contains(body, `"pointer":"/name"`) {
		t.Errorf("a name that none can have: %d %s", status, body)
	}
	if status, body := s.do(t, "POST", "/v1/instances/shop/reconnect", ``); status != 409 || !strings.Contains(body, "no_session") {
		t.Errorf("reconnect: %d %s", status, body)
	}
	if status, body := s.do(t, "POST", "/v1/instances/shop/connect", `{"method":"code"}`); status != 400 || !strings.Contains(body, `"pointer":"/phone"`) {
		t.Errorf("by a code without a number: %d %s", status, body)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/instances/shop/connect", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+made.Token)
	req.Header.Set("Accept", "text/event-stream")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	scanned, last := false, ""
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		var told struct {
			Stage    string
			Data     struct{ QR string }
			Instance struct{ State string }
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			last = lines.Text()
			continue
		}
		if err := json.Unmarshal([]byte(data), &told); err != nil {
			t.Fatal(data, err)
		}
		if told.Stage == "qr" && !scanned {
			scanned = true
			s.scanned(t, "shop", number, told.Data.QR)
		}
		if last == "" && told.Instance.State != "connected" || strings.Contains(last, "problem") {
			t.Errorf("%s: %s", last, data)
		}
	}
	if !scanned {
		t.Error("there was no QR code")
	}
	as := s.token
	s.token = made.Token
	send := func(instance string) int {
		status, _ := s.do(t, "POST", callMenu, `{"input":{"instance":"`+instance+`","number":"5511999990001","contentText":"x","buttons":[{"id":"a","displayText":"A"}]}}`)
		return status
	}
	if own, other := send("shop"), send("demo"); own != 200 || other != 403 {
		t.Errorf("with the instance's token: %d, to another %d", own, other)
	}
	if status, body := s.do(t, "GET", "/v1/instances", ""); status != 200 || !strings.Contains(body, "shop") || strings.Contains(body, "demo") {
		t.Errorf("its list: %d %s", status, body)
	}
	for path, method := range map[string]string{"/v1/instances/demo": "GET", "/v1/instances/shop": "DELETE", "/v1/runs": "GET", "/v1/flows": "GET"} {
		if status, body := s.do(t, method, path, ""); status != 403 {
			t.Errorf("%s %s: %d %s", method, path, status, body)
		}
	}
	s.token = as
	if status, body := s.do(t, "DELETE", "/v1/instances/shop", ""); status != 204 {
		t.Errorf("delete: %d %s", status, body)
	}
	s.token = made.Token
	if status, body := s.do(t, "GET", "/v1/instances/shop", ""); status != 401 {
		t.Errorf("the token of an instance that is gone: %d %s", status, body)
	}
}
