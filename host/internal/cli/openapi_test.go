package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

const openAPIFile = "../../../docs/openapi.json"

// document is the part of docs/openapi.json that the examples need.
type document struct {
	Paths map[string]map[string]described `json:"paths"`
	whole any
}

type described struct {
	ID          string      `json:"operationId"`
	Tags        []string    `json:"tags"`
	Summary     string      `json:"summary"`
	Right       string      `json:"x-right"`
	Parameters  []parameter `json:"parameters"`
	RequestBody struct {
		Content map[string]struct {
			Example json.RawMessage `json:"example"`
		} `json:"content"`
	} `json:"requestBody"`
	Responses map[string]struct {
		Content map[string]json.RawMessage `json:"content"`
	} `json:"responses"`

	method, path string
}

type parameter struct {
	Name   string `json:"name"`
	In     string `json:"in"`
	Schema struct {
		Examples []any `json:"examples"`
	} `json:"schema"`
}

func (d document) operation(t *testing.T, id string) described {
	t.Helper()
	for path, at := range d.Paths {
		for method, op := range at {
			if op.ID == id {
				op.method, op.path = strings.ToUpper(method), path
				return op
			}
		}
	}
	t.Fatalf("%s describes no %s", openAPIFile, id)
	return described{}
}

// example returns the request of an operation, made from its examples; live replaces ids that only
// a host can assign.
func (o described) example(live map[string]string) (path, kind, body string) {
	path = o.path
	for _, p := range o.Parameters {
		if p.In != "path" {
			continue
		}
		value := live[p.Name]
		if value == "" && len(p.Schema.Examples) > 0 {
			value = fmt.Sprint(p.Schema.Examples[0])
		}
		path = strings.ReplaceAll(path, "{"+p.Name+"}", value)
	}
	for given, content := range o.RequestBody.Content {
		if len(content.Example) > 0 {
			kind, body = given, string(content.Example)
			var text string
			if json.Unmarshal(content.Example, &text) == nil {
				body = text
			}
		}
	}
	return path, kind, body
}

// TestOpenAPI: the served document is the committed one, and every example in it works on a real
// host, node and simulator and is answered according to its schema.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		openAPI(t)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		openAPI(t, "--database", sqldbtest.Postgres(t))
	})
}

func openAPI(t *testing.T, args ...string) {
	s := serveSimulated(t, args...)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	status, text := s.do(t, "GET", "/v1/openapi.json", "")
	if status != 200 {
		t.Fatal(status, text)
	}
	if *update {
		if err := os.WriteFile(openAPIFile, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if committed, err := os.ReadFile(openAPIFile); err != nil || string(committed) != text+"\n" {
		t.Fatalf("%s is not what is served (%v); make it anew with go test -count=1 ./host/internal/cli -run TestOpenAPI -update", openAPIFile, err)
	}
	var d document
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	whole, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	d.whole = whole

	d.table(t)
	for path, at := range d.Paths {
		for _, name := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
			for method, op := range at {
				if !slices.ContainsFunc(op.Parameters, func(p parameter) bool { return p.In == "path" && p.Name == name[1] }) {
					t.Errorf("%s %s: nobody reads %s", method, path, name[0])
				}
			}
		}
	}

	live := map[string]string{}
	tried := map[string]bool{}
	try := func(id string, want int, header ...string) string {
		t.Helper()
		op := d.operation(t, id)
		path, kind, body := op.example(live)
		if kind != "" {
			header = append(header, "Content-Type", kind)
		}
		status, answer := s.do(t, op.method, path, body, header...)
		tried[id] = true
		if status != want {
			t.Errorf("%s: %s %s: %d %s, want %d", id, op.method, path, status, answer, want)
			return answer
		}
		d.fits(t, op, status, answer)
		return answer
	}
	get := func(raw, member string) string {
		t.Helper()
		var v map[string]json.RawMessage
		var text string
		if err := json.Unmarshal([]byte(raw), &v); err != nil || json.Unmarshal(v[member], &text) != nil {
			t.Fatalf("no %s in %s", member, raw)
		}
		return text
	}

	try("listNodes", 200)
	try("listHosts", 200)
	try("getNode", 200)
	try("listOperations", 200)
	try("getOperation", 200)
	try("computePorts", 200)
	try("validateInput", 200)
	try("preview", 200)
	try("execute", 200)
	if a := try("execute", 200, "Accept", "text/event-stream"); !strings.Contains(a, "event: result\ndata: {") {
		t.Errorf("as events: %s", a)
	}
	try("listFlows", 200)
	try("listExamples", 200)
	try("listSteps", 200)
	try("checkFlow", 200)
	if a := try("evaluateExpression", 200); !strings.Contains(a, `"value":"Hello Ana"`) {
		t.Errorf("an expression: %s", a)
	}
	live["run"] = get(try("startRun", 201), "run")
	try("listRuns", 200)
	deadline(t, func() bool {
		_, waits := s.do(t, "GET", "/v1/waits?flow=menu&node=ask&limit=1", "") // the newest run's wait
		return strings.Contains(waits, live["run"]) && strings.Contains(waits, `"deadline"`)
	})
	try("listWaits", 200)
	try("getInsights", 200)
	try("getRun", 200)
	try("retryRun", 409) // the run is still running
	try("resumeRun", 200)
	try("cancelRun", 200)
	try("followRun", 200)
	try("saveDraft", 201)
	tried["watch"] = true // it has no end: TestV1Watch
	try("getDraft", 200)
	try("dropDraft", 204)
	try("saveDraft", 201)
	try("publishFlow", 201)
	try("listVersions", 200)
	try("diffVersions", 200)
	try("getSource", 200)
	try("publishVersion", 200)
	try("retireFlow", 200)

	s.publish(t, "apiVersion: flow/v1\nkind: Flow\nmetadata: {id: paid}\nvars: {type: object, properties: {amount: {type: integer}}}\n"+
		"triggers: [{id: paid, type: webhook, with: {path: paid, auth: {type: none}}, vars: {amount: \"${ event.body.amount }\"}, to: log}]\nnodes: [{id: log, type: log@1, with: {message: paid}}]\n")
	s.do(t, "POST", "/hooks/paid", `{"amount":"a lot"}`, "Content-Type", "application/json")
	var letters struct {
		DeadLetters []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(try("listDeadLetters", 200)), &letters); err != nil || len(letters.DeadLetters) != 1 {
		t.Fatalf("dead letters: %+v %v", letters, err)
	}
	live["letter"] = letters.DeadLetters[0].ID
	try("getDeadLetter", 200)
	try("resendDeadLetter", 200)
	try("dropDeadLetter", 204)

	live["token"] = get(try("makeToken", 201), "id")
	try("listTokens", 200)
	try("rotateToken", 200)
	try("revokeToken", 204)
	try("listAudit", 200)

	try("makeSignInLink", 403) // only over the private socket
	try("signIn", 401)         // no such code was made
	try("getSession", 200)
	try("signOut", 404) // the request has a token
	try("listSessions", 200)
	try("endSession", 404) // there is no such session
	try("endOtherSessions", 200)

	try("listInstances", 200)
	try("getInstance", 200)
	try("makeInstance", 201)
	try("rotateInstanceToken", 200)
	try("connectInstance", 200)
	try("reconnectInstance", 200)
	try("answerPasskey", 409) // no passkey was asked for
	try("resumeInstance", 200)
	try("moveInstance", 404) // there is no such host
	try("disconnectInstance", 200)
	try("logoutInstance", 200)
	try("deleteInstance", 204)
	try("restartNode", 200)

	var hook struct{ Webhook struct{ ID string } }
	if err := json.Unmarshal([]byte(try("makeWebhook", 201)), &hook); err != nil {
		t.Fatal(err)
	}
	live["webhook"] = hook.Webhook.ID
	try("listEventTypes", 200)
	try("readEvents", 200)
	try("listWebhooks", 200)
	try("getWebhook", 200)
	try("changeWebhook", 200)
	try("rotateWebhookSecret", 200)
	try("testWebhook", 200) // no receiver listens there
	try("listDeliveries", 200)
	try("listUndelivered", 200)
	try("getUndelivered", 404)
	try("redeliver", 404)
	try("dropUndelivered", 404)
	try("deleteWebhook", 204)
	try("readEvents", 200)
	try("listClicks", 200)
	for _, at := range d.Paths {
		for _, op := range at {
			if !tried[op.ID] {
				t.Errorf("the example of %s is not run here", op.ID)
			}
		}
	}
}

// table is the list of routes in docs/http.md.
func (d document) table(t *testing.T) {
	t.Helper()
	const file, from, to = "../../../docs/http.md", "-update -->\n", "<!-- end -->"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), from)
	is, after, there := strings.Cut(rest, to)
	if !ok || !there {
		t.Fatalf("%s has no place for the routes", file)
	}
	var rows []string
	for path, at := range d.Paths {
		for method, op := range at {
			rows = append(rows, fmt.Sprintf("| %s | `%s %s` | %s | %s |\n", op.Tags[0], strings.ToUpper(method), path, op.Right, op.Summary))
		}
	}
	slices.Sort(rows)
	want := "| | Request | Right | |\n|---|---|---|---|\n" + strings.Join(rows, "")
	if is == want {
		return
	}
	if !*update {
		t.Fatalf("the routes in %s are others; make them anew with -update", file)
	}
	if err := os.WriteFile(file, []byte(before+from+want+to+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// publish publishes a flow file.
func (s *served) publish(t *testing.T, file string) {
	t.Helper()
	if status, body := s.do(t, "POST", "/v1/flows", file, "Content-Type", "application/yaml"); status >= 300 {
		t.Fatal(status, body)
	}
}

// fits fails the test unless an answer matches its description in the document.
func (d document) fits(t *testing.T, op described, status int, answer string) {
	t.Helper()
	key := strconv.Itoa(status)
	if _, ok := op.Responses[key]; !ok {
		t.Errorf("%s: the document knows no answer %d", op.ID, status)
		return
	}
	kind := "application/json"
	if status >= 400 {
		kind = "application/problem+json"
	}
	if _, ok := op.Responses[key].Content[kind]; !ok || !json.Valid([]byte(answer)) {
		return
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	const here = "http://tapnode/openapi.json"
	if err := c.AddResource(here, d.whole); err != nil {
		t.Fatal(err)
	}
	at := here + "#/paths/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(op.path) + "/" + strings.ToLower(op.method) + "/responses/" + key + "/content/" + strings.ReplaceAll(kind, "/", "~1") + "/schema"
	schema, err := c.Compile(at)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(answer)))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		t.Errorf("%s: the answer is not as described: %v\n%s", op.ID, err, answer)
	}
}
