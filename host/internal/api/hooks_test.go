package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/engine"
)

const answering = `
apiVersion: flow/v1
kind: Flow
metadata: {id: answering}
triggers:
  - {id: open, type: webhook, with: {path: echo, auth: {type: none}}, when: "${ event.body.word != 'silence' }", to: answer}
  - {id: signed, type: webhook, with: {path: signed, auth: {type: hmac-sha256, secret: SHOP, header: X-Signature, prefix: "sha256="}}, to: answer}
  - {id: unset, type: webhook, with: {path: unset, auth: {type: secret, secret: NOBODY, header: X-Secret}}, to: answer}
  - {id: late, type: webhook, with: {path: late, auth: {type: none}}, to: rest}
  - {id: mute, type: webhook, with: {path: mute, auth: {type: none}}, to: rest}
nodes:
  - {id: rest, type: delay@1, with: {for: 1s}}
  - {id: answer, type: respond@1, with: {status: 201, headers: {X-Word: "${ event.body.word }"}, body: {heard: "${ event.body.word }", run: "${ run.id }"}}}
edges:
  - {from: rest.out, to: answer}
`

const mute = `
apiVersion: flow/v1
kind: Flow
metadata: {id: mute}
triggers: [{id: called, type: webhook, with: {path: quiet, auth: {type: none}}, to: log}]
nodes: [{id: log, type: log@1, with: {message: called}}]
`

// hookServer serves the flows above and gives a caller.
func hookServer(t *testing.T) (call func(method, path, body string, header ...string) (*http.Response, string), e *engine.Engine) {
	t.Helper()
	e = flowEngine(t, answering, mute)
	f := start(t, func(o *Options) { o.Engine, o.Secrets = e, map[string][]byte{"SHOP": []byte("hush")} })
	return func(method, path, body string, header ...string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, f.URL()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(raw)
	}, e
}

// A call of a webhook is answered by its flow, at once or a little later, or with its run; the
// same key is the same run.
func TestHooks(t *testing.T) {
	call, _ := hookServer(t)
	const word = `{"word":"hello"}`
	res, body := call("POST", "/hooks/echo", word)
	if res.StatusCode != 201 || res.Header.Get("X-Word") != "hello" || !strings.HasPrefix(body, `{"heard":"hello","run":"e`) || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("at once: %d %s", res.StatusCode, body)
	}
	if res, body := call("POST", "/hooks/late", word); res.StatusCode != 201 || !strings.Contains(body, "hello") {
		t.Errorf("later: %d %s", res.StatusCode, body)
	}
	if res, body := call("POST", "/hooks/quiet", word); res.StatusCode != 202 || !strings.HasPrefix(body, `{"run":"e`) {
		t.Errorf("without an answer: %d %s", res.StatusCode, body)
	}
	if res, body := call("POST", "/hooks/echo", `{"word":"silence"}`); res.StatusCode != 202 || body != `{"deadLetter":false,"ignored":false,"run":null}`+"\n" {
		t.Errorf("what the condition leaves out: %d %s", res.StatusCode, body)
	}
	_, first := call("POST", "/hooks/echo", word, "Idempotency-Key", "k")
	if res, again := call("POST", "/hooks/echo", word, "Webhook-Id", "k"); res.StatusCode != 201 || again != first {
		t.Errorf("the same key: %s, and then %d %s", first, res.StatusCode, again)
	}
	mac := hmac.New(sha256.New, []byte("hush"))
	mac.Write([]byte(word))
	if res, body := call("POST", "/hooks/signed", word, "X-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil))); res.StatusCode != 201 {
		t.Errorf("signed: %d %s", res.StatusCode, body)
	}
}

func TestHooksRefuse(t *testing.T) {
	call, e := hookServer(t)
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		status             int
	}{
		"no such address":        {"POST", "/hooks/nobody", `{}`, nil, 404},
		"another method":         {"GET", "/hooks/echo", ``, nil, 405},
		"no signature":           {"POST", "/hooks/signed", `{}`, nil, 401},
		"a wrong signature":      {"POST", "/hooks/signed", `{}`, []string{"X-Signature", "sha256=00"}, 401},
		"a secret nobody set":    {"POST", "/hooks/unset", `{}`, []string{"X-Secret", ""}, 503},
		"a body that is no JSON": {"POST", "/hooks/echo", `{`, nil, 400},
		"a doubled member":       {"POST", "/hooks/echo", `{"a":1,"a":2}`, nil, 400},
		"a large body":           {"POST", "/hooks/echo", `"` + strings.Repeat("x", 200<<10) + `"`, nil, 413},
		"a long key":             {"POST", "/hooks/echo", `{}`, []string{"Idempotency-Key", strings.Repeat("k", 3000)}, 400},
	} {
		res, body := call(c.method, c.path, c.body, c.header...)
		var p struct{ Status int }
		if err := json.Unmarshal([]byte(body), &p); err != nil || res.StatusCode != c.status || p.Status != c.status {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
		if c.status == 405 && res.Header.Get("Allow") != "POST" {
			t.Errorf("%s: Allow %q", name, res.Header.Get("Allow"))
		}
	}
	if letters, err := e.DeadLetters(t.Context(), "", 10); err != nil || len(letters) != 0 {
		t.Errorf("kept of what was refused: %+v, %v", letters, err)
	}
}
