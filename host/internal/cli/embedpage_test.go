package cli

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEmbedPage runs the commands of docs/embed.md: a host that the page of another origin may
// call, a token for that page, and the example page, which gets the form from the host.
func TestEmbedPage(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("left out: the example page is served by Node, and there is none")
	}
	text, err := os.ReadFile("../../../docs/embed.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, ok := strings.Cut(string(text), "```sh\n")
	block, _, closed := strings.Cut(block, "```")
	commands := strings.Split(strings.TrimSpace(block), "\n")
	if !ok || !closed || len(commands) != 3 {
		t.Fatalf("the page has these commands: %q", commands)
	}
	origin, ok := strings.CutPrefix(commands[0], "tapnode serve --simulate --origin ")
	create, made := strings.CutPrefix(commands[1], "tapnode ")
	run, runs := strings.CutPrefix(commands[2], "TAPNODE_TOKEN=tap_… node ")
	if !ok || !made || !runs {
		t.Fatalf("the commands are others now: %q", commands)
	}

	b := beside{t, filepath.Join(shortDir(t), "data")}
	s := serveSimulated(t, "--data", b.data, "--origin", origin)
	go s.drain()
	out, _ := b.do(exitOK, strings.Fields(create)...)
	token := regexp.MustCompile(`tap_\S+`).FindString(out)
	if token == "" {
		t.Fatalf("no token: %s", out)
	}

	script, _, _ := strings.Cut(run, " ")
	page := exec.CommandContext(t.Context(), "node", script, "0") // the port on the page may be in use
	page.Dir, page.Env = "../../..", append(os.Environ(), "TAPNODE_HOST="+s.url, "TAPNODE_TOKEN="+token)
	pipe, err := page.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := page.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = page.Process.Kill(); _ = page.Wait() })
	lines := bufio.NewScanner(pipe)
	if !lines.Scan() {
		t.Fatal("the example page says no address")
	}
	at := lines.Text()
	if html := fetched(t, at+"/"); !strings.Contains(html, "<tapnode-form") || !strings.Contains(html, s.url+"/ui/embed/form.js") {
		t.Errorf("the example page has no form of the host:\n%s", html)
	}
	if got := fetched(t, at+"/token"); got != token {
		t.Errorf("the page gives another token than it was given: %d bytes", len(got))
	}
	if js := fetched(t, s.url+"/ui/embed/form.js"); !strings.Contains(js, "tapnode-form") {
		t.Error("the host serves no form")
	}

	const validate = "/v1/operations/whatsapp.sendButtons@1/validate"
	answer := s.ask(t, token, "POST", validate, `{"input":{}}`, "Origin", origin)
	var found struct{ Valid bool }
	if err := json.Unmarshal([]byte(answer.raw), &found); err != nil || answer.status != http.StatusOK || found.Valid || answer.header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("a page of the origin asks what is wrong: %d %v %s", answer.status, answer.header, answer.raw)
	}
	if other := s.ask(t, token, "POST", validate, `{"input":{}}`, "Origin", "https://evil.example"); other.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a page of another origin may read the answer: %v", other.header)
	}
}

func fetched(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v", url, res.StatusCode, err)
	}
	return string(raw)
}
