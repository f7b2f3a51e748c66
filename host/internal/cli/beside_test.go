package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// beside runs commands on a data directory in which a host works.
type beside struct {
	t    *testing.T
	data string
}

// do runs a command, checks its exit code, and returns its output.
func (b beside) do(code int, args ...string) (out, errs string) {
	b.t.Helper()
	var o, e bytes.Buffer
	if got := Main(append(args, "--data", b.data), &o, &e); got != code {
		b.t.Fatalf("tapnode %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, &o, &e)
	}
	return o.String(), e.String()
}

// says runs a command that has to work, and fails the test unless its output matches each pattern.
func (b beside) says(command string, patterns ...string) string {
	b.t.Helper()
	out, errs := b.do(exitOK, strings.Fields(command)...)
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(out + errs) {
			b.t.Errorf("tapnode %s does not say %q:\n%s%s", command, p, out, errs)
		}
	}
	return out
}

func (b beside) json(into any, args ...string) {
	b.t.Helper()
	out, _ := b.do(exitOK, append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		b.t.Fatalf("tapnode %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestFlowsBeside: versions of flows are published, compared, retired and restored while the host
// runs, and take effect at once. A start without arguments serves the published flows.
func TestFlowsBeside(t *testing.T) {
	t.Parallel()
	b := beside{t, filepath.Join(shortDir(t), "data")}
	if _, errs := b.do(exitEnvironment, "flows", "list"); !strings.Contains(errs, "no tapnode serve is running") {
		t.Errorf("without a host: %s", errs)
	}
	t.Run("serve", func(t *testing.T) {
		b.t = t
		s := serveSimulated(t, "--data", b.data)
		s.until(t, `wait.armed +ask`)
		go s.drain()
		if info, err := os.Stat(filepath.Join(b.data, "control.sock")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the socket: %v %v", info, err)
		}
		src, err := os.ReadFile("../../../examples/flows/menu.yaml")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "menu.yaml")
		write := func(edits ...string) string {
			if err := os.WriteFile(file, []byte(strings.NewReplacer(edits...).Replace(string(src))), 0o600); err != nil {
				t.Fatal(err)
			}
			return file
		}
		b.says("flows list", `menu +1 +published`)
		b.says("flows publish "+write(), "menu version 1 was already published")
		b.says("flows publish "+write("        - {id: billing, displayText: Billing}\n", "", "  - {from: \"ask.reply:billing\", to: billing}\n", "  - {from: ask.error, to: billing}\n"),
			"menu version 2 is published", `1 runs of version 1 wait at ask and may still go on at reply:billing`)
		b.says("flows show menu", `menu +2 +published.*\nmenu +1 +retired`)
		b.says("flows diff menu 1 2", "node ask: Buttons: billing was removed", "edge ask.reply:billing was removed; it led to billing")
		b.says("flows publish --draft "+write("How can", "What can", "how can", "what can"), "menu version 3 is draft")
		b.says("flows diff menu", `what can we help`)
		if out := b.says("flows export menu"); !strings.Contains(out, "ask.error, to: billing") || strings.Contains(out, "what can") {
			t.Errorf("exported %s, want the published version", out)
		}
		if status, body := s.do(t, "POST", "/v1/flows/menu/runs", ""); status != 201 {
			t.Fatalf("%d %s", status, body)
		}
		deadline(t, func() bool {
			var page struct{ Runs []engine.Found }
			b.json(&page, "runs", "list", "--flow", "menu", "--node", "ask")
			return len(page.Runs) == 2 && page.Runs[0].Version == 2 && page.Runs[1].Version == 1
		})
		b.says("flows retire menu", "starts no more runs")
		if status, body := s.do(t, "POST", "/v1/flows/menu/runs", ""); status != 404 {
			t.Errorf("a run of a retired flow: %d %s", status, body)
		}
		b.says("flows restore menu 1", "menu version 1 is published")
		_, errs := b.do(exitInvalid, "flows", "restore", "menu", "9")
		_, more := b.do(exitInvalid, "flows", "publish", write("to: silent", "to: nowhere"))
		if errs += more; !strings.Contains(errs, "version 9") || !strings.Contains(errs, "nowhere") {
			t.Errorf("mistakes: %s", errs)
		}
	})
	t.Run("again", func(t *testing.T) {
		b.t = t
		s := serveWith(t, "--simulate", "--listen", "127.0.0.1:0", "--data", b.data, write(t, "apiVersion: flow/v1\nkind: Flow\nmetadata: {id: other}\ntriggers: [{id: start, type: manual, to: say}]\nnodes: [{id: say, type: log@1, with: {message: hi}}]\n"))
		s.until(t, `flows: menu, other`)
		go s.drain()
		b.says("flows list", `menu +1 +published`, `other +1 +published`)
	})
}

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "flow.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestRunsBeside: a run is found by its customer, read masked and unmasked, and repaired; calls go
// through the running host.
func TestRunsBeside(t *testing.T) {
	t.Parallel()
	b := beside{t, filepath.Join(shortDir(t), "data")}
	s := serveSimulated(t, "--data", b.data)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	var page struct {
		Runs []engine.Found
		Next string
	}
	b.json(&page, "runs", "list", "--about", "+55 11 99999-0001")
	if len(page.Runs) != 1 || page.Runs[0].Waits[0] != "ask" || page.Runs[0].About[0] != "…01" {
		t.Fatalf("found %+v", page)
	}
	id := page.Runs[0].Run
	masked := b.says("runs show "+id, "waits at ask", "next: timeout of ask", `"contentText":"\(\d+ characters\)"`, "key run:"+id+":ask:1", `took \d+ ms`)
	if strings.Contains(masked, "5511999990001") || strings.Contains(masked, "how can we help") {
		t.Errorf("not masked: %s", masked)
	}
	b.says("runs show --reveal "+id, "5511999990001", "how can we help")
	for input, want := range map[string]string{
		`{"number":`:               "--input: /number: unexpected end of JSON input at byte 10",
		"{\"buttons\":[\"\xff\"]}": "--input: /buttons/0: it is not UTF-8",
	} {
		if _, errs := b.do(exitInvalid, "call", "whatsapp.sendText@1", "--input", input); !strings.Contains(errs, want) {
			t.Errorf("%q: %s", input, errs)
		}
	}
	b.says("runs resume "+id, id)
	deadline(t, func() bool { // nobody answered: the timeout's edge leads to the end
		b.json(&page, "runs", "list", "--status", "succeeded")
		return len(page.Runs) == 1 && page.Runs[0].Run == id
	})
	b.do(exitFailed, "runs", "retry", id)
	b.do(exitInvalid, "runs", "show", "none")
	b.do(exitInvalid, "runs", "list", "--node", "ask")

	broken := "apiVersion: flow/v1\nkind: Flow\nmetadata: {id: broken}\ntriggers: [{id: start, type: manual, to: send}]\nnodes: [{id: send, type: whatsapp.sendText@1, with: {instance: later, number: '5511999990001', contentText: hi}}]\n"
	b.says("flows publish "+write(t, broken), "broken version 1 is published")
	_, started := s.do(t, "POST", "/v1/flows/broken/runs", "")
	deadline(t, func() bool {
		b.json(&page, "runs", "list", "--flow", "broken", "--status", "failed")
		return len(page.Runs) == 1 && strings.Contains(started, page.Runs[0].Run)
	})
	failed := page.Runs[0].Run
	b.says("runs show "+failed, "failed at send: ")
	b.says(`call whatsapp.instance.create@1 --input {"instance":"later"}`, `"name": "later"`)
	b.says("runs retry "+failed, failed)
	b.says("runs show "+failed, "run.reopened +send +tried again by hand")
	b.says("runs cancel --reason enough "+failed, failed)
	deadline(t, func() bool {
		b.json(&page, "runs", "list", "--status", "cancelled")
		return len(page.Runs) == 1
	})
	b.says("deadletters list", "ID +TIME")
	b.do(exitInvalid, "deadletters", "drop", "none")
	b.do(exitInvalid, "call", "whatsapp.nothing@1")

	// The same over HTTP: an ordinary token reads masked answers, and may not ask for unmasked
	// ones.
	if status, body := s.do(t, "GET", "/v1/runs/"+id, ""); status != 200 || strings.Contains(body, "5511999990001") {
		t.Errorf("%d %s", status, body)
	}
	for _, path := range []string{"/v1/runs/" + id, "/v1/runs", "/v1/runs/" + id + "/steps", "/v1/deadletters"} {
		if status, body := s.do(t, "GET", path+"?reveal=true", ""); status != 403 || !strings.Contains(body, "scope reveal") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	_, started = s.do(t, "POST", "/v1/flows/menu/runs", "")
	b.json(&page, "runs", "list", "--flow", "menu", "--limit", "1")
	if status, body := s.do(t, "POST", "/v1/runs/"+page.Runs[0].Run+"/cancel?reveal=true", ""); status != 403 {
		t.Errorf("to change and to see: %d %s", status, body)
	}
	if status, body := s.do(t, "GET", "/v1/runs/"+page.Runs[0].Run, ""); status != 200 || !strings.Contains(started, page.Runs[0].Run) || !strings.Contains(body, `"status":"running"`) {
		t.Errorf("what was refused has happened: %d %s", status, body)
	}
	out, _ := b.do(exitOK, "tokens", "create", "--scopes", "read,reveal")
	s.token = strings.TrimSpace(out)
	if status, body := s.do(t, "GET", "/v1/runs/"+id+"?reveal=true", ""); status != 200 || !strings.Contains(body, "5511999990001") {
		t.Errorf("with the right token: %d %s", status, body)
	}
	if status, body := s.do(t, "GET", "/v1/runs?colour=red", ""); status != 400 {
		t.Errorf("an unknown parameter: %d %s", status, body)
	}
}
