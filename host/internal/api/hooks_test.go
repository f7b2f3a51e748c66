package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
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

var typed = []string{"Content-Type", "application/json"}

// hookServer serves the flows above.
func hookServer(t *testing.T) *fixture {
	t.Helper()
	e := flowEngine(t, answering, mute)
	return start(t, func(o *Options) { o.Engine, o.Secrets = e, map[string][]byte{"SHOP": []byte("hush")} })
}

// A call of a webhook is answered by its flow, at once or a little later, or with its run; the
// same key is the same run.
func TestHooks(t *testing.T) {
	f := hookServer(t)
	call := func(path, body string, header ...string) answer {
		return f.post(t, path, body, append(header, typed...)...)
	}
	const word = `{"word":"hello"}`
	res := call("/hooks/echo", word)
	if res.status != 201 || res.header.Get("X-Word") != "hello" || !strings.HasPrefix(res.body, `{"heard":"hello","run":"r`) || res.header.Get("Content-Type") != "application/json" {
		t.Errorf("at once: %d %s", res.status, res.body)
	}
	if res := call("/hooks/late", word); res.status != 201 || !strings.Contains(res.body, "hello") {
		t.Errorf("later: %d %s", res.status, res.body)
	}
	if res := call("/hooks/quiet", word); res.status != 202 || !strings.HasPrefix(res.body, `{"run":"r`) {
		t.Errorf("without an answer: %d %s", res.status, res.body)
	}
	if res := call("/hooks/echo", `{"word":"silence"}`); res.status != 202 || res.body != `{"deadLetter":false,"ignored":false,"run":null}` {
		t.Errorf("what the condition leaves out: %d %s", res.status, res.body)
	}
	first := call("/hooks/echo", word, "Idempotency-Key", "k")
	if res := call("/hooks/echo", word, "Webhook-Id", "k"); res.status != 201 || res.body != first.body {
		t.Errorf("the same key: %s, and then %d %s", first.body, res.status, res.body)
	}
	mac := hmac.New(sha256.New, []byte("hush"))
	mac.Write([]byte(word))
	if res := call("/hooks/signed", word, "X-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil))); res.status != 201 {
		t.Errorf("signed: %d %s", res.status, res.body)
	}
}

func TestHooksRefuse(t *testing.T) {
	f := hookServer(t)
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
		res := f.call(t, c.method, c.path, c.body, append(c.header, typed...)...)
		var p struct{ Status int }
		if err := json.Unmarshal([]byte(res.body), &p); err != nil || res.status != c.status || p.Status != c.status {
			t.Errorf("%s: %d %s", name, res.status, res.body)
		}
		if c.status == 405 && res.header.Get("Allow") != "POST" {
			t.Errorf("%s: Allow %q", name, res.header.Get("Allow"))
		}
	}
	if letters, err := f.opt.Engine.DeadLetters(t.Context(), "", 10); err != nil || len(letters) != 0 {
		t.Errorf("kept of what was refused: %+v, %v", letters, err)
	}
}
