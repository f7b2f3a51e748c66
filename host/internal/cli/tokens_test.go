package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTokensBeside: tokens are created, rotated and revoked beside a running host. Each change
// takes effect at once, and the audit log records it.
func TestTokensBeside(t *testing.T) {
	t.Parallel()
	b := beside{t, filepath.Join(shortDir(t), "data")}
	s := serveSimulated(t, "--data", b.data)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	account := s.token
	use := func(token string, want int) {
		t.Helper()
		if a := s.ask(t, token, "POST", endpoint+"demo", `{}`); a.status != want {
			t.Errorf("%d %s, want %d", a.status, a.raw, want)
		}
	}
	made := strings.TrimSpace(b.says("tokens create --name till --scopes send --instance demo --expires 1d", `token t\w+, shown only now`))
	use(made, 400)
	if a := s.ask(t, made, "GET", "/api/instance/list", ""); a.status != 403 {
		t.Errorf("reading with the scope send: %d", a.status)
	}
	list := b.says("tokens list", `account +send,read,manage +all`, `till +send +demo`)
	id := regexp.MustCompile(`(t\w+) +till`).FindStringSubmatch(list)[1]
	rotated := strings.TrimSpace(b.says("tokens rotate " + id + " --grace 1h"))
	use(made, 400)
	use(rotated, 400)
	last := strings.TrimSpace(b.says("tokens rotate " + id))
	use(rotated, 401)
	use(last, 400)
	b.says("tokens revoke " + id)
	use(last, 401)
	if _, errs := b.do(exitInvalid, "tokens", "revoke", id); !strings.Contains(errs, "no such token") {
		t.Errorf("revoked again: %s", errs)
	}
	if _, errs := b.do(exitInvalid, "tokens", "create", "--scopes", "sned"); !strings.Contains(errs, "send, read, manage, reveal") {
		t.Errorf("a slip: %s", errs)
	}
	reader := strings.TrimSpace(b.says("tokens create --scopes read"))
	shown := s.ask(t, reader, "GET", "/api/instance/list", "")
	if shown.status != 200 || strings.Contains(shown.raw, "tapi_") {
		t.Errorf("a reader sees tokens: %s", shown.raw)
	}
	s.ask(t, account, "POST", "/v1/flows/menu/retire", "")
	log := b.says("audit", `127\.0\.0\.1 +200 +POST /v1/flows/menu/retire`, `control +- +204 +DELETE /v1/tokens/`+id, `control +- +201 +POST /v1/tokens: token `+id, `start +- +201 +make the first token`)
	for _, secret := range []string{account, made, rotated, last, reader} {
		if strings.Contains(log+list+s.said.String(), secret[8:]) {
			t.Error("a token is in a list or a log")
		}
	}
	if _, errs := b.do(exitInvalid, "tokens", "revoke", "../webhooks/a b%2F"); !strings.Contains(errs, "token") {
		t.Errorf("no token has this id, and the answer is %q", errs)
	}
	b.says("audit --limit 1", "there may be more: --after ")
	docs, err := os.ReadFile("../../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sh\n(tapnode tokens .*?)```").FindSubmatch(docs)
	if block == nil {
		t.Fatal("docs/http.md shows no commands for tokens")
	}
	for line := range strings.Lines(string(block[1])) {
		command, _, _ := strings.Cut(strings.TrimSpace(line), "#")
		if strings.Contains(command, " ID") {
			made := regexp.MustCompile(`(t\w+) +crm`).FindStringSubmatch(b.says("tokens list"))
			command = strings.ReplaceAll(command, " ID", " "+made[1])
		}
		b.says(strings.TrimPrefix(command, "tapnode "))
	}
	var page struct {
		Entries []struct{ Action string }
	}
	b.json(&page, "audit")
	if len(page.Entries) < 7 {
		t.Errorf("the audit log has %d entries", len(page.Entries))
	}
}

// TestFirstTokenIsShownToAPerson: a real server creates its first token only where a person sees
// it, once.
func TestFirstTokenIsShownToAPerson(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	settings := filepath.Join(dir, "settings.json")
	if err := os.WriteFile(settings, []byte(`{"whatsapp-send-buttons":{"device":{"refreshVersion":false}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		person bool
		says   string
	}{
		{false, `^tokens for the HTTP API: 0; another one, while this runs: tapnode tokens create`},
		{true, `^account token, shown only now: tap_\S{43}$`},
		{true, `^tokens for the HTTP API: 1; another one`},
	} {
		out, in := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			err := serve(ctx, console{out: in, err: t.Output(), person: c.person}, []string{"--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--settings", settings})
			_ = in.Close()
			done <- err
		}()
		found := false
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if regexp.MustCompile(c.says).MatchString(lines.Text()) {
				found = true
				cancel()
			} else if strings.Contains(lines.Text(), "token") {
				t.Errorf("it says %q, want %s", lines.Text(), c.says)
				cancel()
			}
		}
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) || !found {
			t.Errorf("%+v: ended with %v", c, err)
		}
	}
}
