package cli

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/config"
	"github.com/tapnode/tapnode/schemas"
)

// TestConfigSchema: the published schema has every flag of serve, and nothing else.
func TestConfigSchema(t *testing.T) {
	doc := parsed(t, schemas.Read(schemas.Config))
	properties, _ := doc["properties"].(map[string]any)
	delete(properties, "$schema")
	want := map[string]bool{}
	newServeFlags("serve").set.VisitAll(func(f *flag.Flag) {
		if len(f.Name) == 1 || f.Name == "config" {
			return
		}
		name := config.Member(f.Name)
		want[name] = true
		p, _ := properties[name].(map[string]any)
		kind := "string"
		if b, ok := f.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
			kind = "boolean"
		} else if _, ok := f.Value.(*count); ok {
			kind = "integer"
		} else if _, ok := f.Value.(*list); ok {
			kind = "array"
		}
		if p["type"] != kind {
			t.Errorf("schemas/%s: %s has the type %v, want %s for --%s", schemas.Config, name, p["type"], kind, f.Name)
		}
	})
	for name := range maps.Keys(properties) {
		if !want[name] {
			t.Errorf("schemas/%s: %s is no flag", schemas.Config, name)
		}
	}
}

func put(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func tapnode(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = Main(args, &o, &e)
	return code, o.String(), e.String()
}

// TestConfigCommands: check finds all errors in a file, show prints where values come from, and
// neither shows a secret.
func TestConfigCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := put(t, dir, "good.yaml", "listen: 127.0.0.1:0\nkeep: 90d\norigin: [https://crm.example]\n")
	if code, out, errs := tapnode("config", "check", good); code != exitOK || !strings.Contains(out, "is good") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	for text, want := range map[string]string{
		"listn: a\nkeepRuns: x\n":                            "/listn: ",
		"keep: soon\n":                                       "/keep: ",
		"listen: 0.0.0.0:80\n":                               "--host",
		"secrets: /nowhere/secrets.json\n":                   "/nowhere/secrets.json",
		"databaseFile: /nowhere/database\n":                  "/nowhere/database",
		"accountTokenFile: " + put(t, dir, "e", "\n") + "\n": "want one secret",
		"tlsCert: /nowhere/cert.pem\n":                       "--tls-key",
	} {
		path := put(t, dir, "bad.yaml", text)
		if code, _, errs := tapnode("config", "check", path); code != exitInvalid || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %s, want %q", text, code, errs, want)
		}
		if strings.Contains(text, "listn") {
			if _, _, errs := tapnode("config", "check", path); !strings.Contains(errs, "/keepRuns: ") {
				t.Errorf("only the first mistake: %s", errs)
			}
		}
	}

	env := []string{"TAPNODE_DATABASE=postgres://tapnode:hush@db.example/runs", "TAPNODE_LISTN=x", accountTokenEnv + "=hush0123456789abcdef0123456789ab"}
	code, out, errs := tapnodeIn(t, env, "config", "show", "--config", good, "--keep-runs", "7", "flow.yaml")
	for _, want := range []string{"--keep-runs +7 +command line", "--keep +90d +" + good + " /keep", "--nodes +" + nodesDir + " +TAPNODE_NODES", "--database +.it has a password in it. +TAPNODE_DATABASE", "--flows +flow.yaml +command line", "--tls-cert +- +default"} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("show lacks %q:\n%s", want, out)
		}
	}
	if code != exitOK || strings.Contains(out+errs, "hush") || !strings.Contains(errs, "TAPNODE_LISTN is not a variable of serve") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	code, out, _ = tapnodeIn(t, env, "config", "show", "--json", "--listen", "192.0.2.1:1")
	var shown struct{ Settings []shownSetting }
	if err := json.Unmarshal([]byte(out), &shown); err != nil || code != exitInvalid || !slices.Contains(shown.Settings, shownSetting{"listen", "192.0.2.1:1", "command line"}) {
		t.Errorf("%d %s", code, out)
	}
}

// TestServeIsConfigured: serve takes its flags from the environment and a file, and secrets from
// files. No secret is in the list of processes or in its output.
func TestServeIsConfigured(t *testing.T) {
	t.Parallel()
	const token = "given-to-TestServeIsConfigured-alone"
	dir := shortDir(t)
	flow, err := filepath.Abs(simulated)
	if err != nil {
		t.Fatal(err)
	}
	path := put(t, dir, "tapnode.yaml", "listen: 192.0.2.1:80\nsimulate: true\nflows: ["+flow+"]\ndata: "+filepath.Join(dir, "data")+"\naccountTokenFile: "+put(t, dir, "token", token+"\n")+"\n")
	r := startProcessIn(t, []string{"TAPNODE_CONFIG=" + path, "TAPNODE_LISTEN=127.0.0.1:0", "TAPNODE_VERBOSE=true"}, "serve")
	s := &served{url: r.until(t, "tapnode serves at "), token: token}
	r.until(t, "tokens for the HTTP API: 1")
	r.until(t, "wait.armed")
	if a := s.ask(t, token, "GET", "/api/instance/list", ""); a.status != 200 {
		t.Errorf("with the given token: %d %s", a.status, a.raw)
	}
	const wrong = "tap_wrong0123456789abcdef"
	for _, path := range []string{"/ws/demo?token=" + token, "/ws/demo?token=" + wrong, "/api/instance/list?token=" + token, "/v1/tokens?token=" + token} {
		s.do(t, "GET", path, "", "token", wrong)
		s.do(t, "GET", path, "", "token", "")
		s.do(t, "POST", path, `{"token":"`+token+`","number":`)
	}
	if ps, err := exec.CommandContext(t.Context(), "ps", "axww", "-o", "args").Output(); err == nil && bytes.Contains(ps, []byte(token)) {
		t.Error("the token is in the list of processes")
	}
	if _, list, _ := tapnodeIn(t, []string{"TAPNODE_DATA=" + filepath.Join(dir, "data")}, "tokens", "list"); !regexp.MustCompile(`environment +account +send,read,manage`).MatchString(list) {
		t.Errorf("tokens: %s", list)
	}
	r.interrupt(t)
	if strings.Contains(r.err.String(), token) || strings.Contains(r.err.String(), wrong) || !strings.Contains(r.err.String(), "level=DEBUG") {
		t.Errorf("it says its token, or not what it does:\n%.2000s", &r.err)
	}
}

// TestSecretsAreNoArguments: a password on the command line is refused, and not repeated.
func TestSecretsAreNoArguments(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"postgres://u:hush@h/d", "postgres://u@h/d?password=hush", "host=h password=hush", "host=h PASSWORD = 'hush'", "postgres://h/d?sslpassword=hush&x=1"} {
		if code, out, errs := tapnode("serve", "--database", dsn); code != exitInvalid || !strings.Contains(errs, "--database-file") || strings.Contains(out+errs, "hush") {
			t.Errorf("%s: %d %s%s", dsn, code, out, errs)
		}
	}
	for _, dsn := range []string{"postgres://u@h/d", "postgres://u:@h/d", "host=h user=u passfile=/x", ""} {
		if hasPassword(dsn) {
			t.Errorf("%s has a password", dsn)
		}
	}
	dir := t.TempDir()
	if code, _, errs := tapnode("serve", "--simulate", "--account-token-file", put(t, dir, "short", "hush")); code != exitInvalid || strings.Contains(errs, "hush") || !strings.Contains(errs, "32 to 4096") {
		t.Errorf("a weak token: %d %s", code, errs)
	}
	if code, _, errs := tapnode("serve", "--database", "x", "--database-file", put(t, dir, "dsn", "y")); code != exitInvalid || !strings.Contains(errs, "not both") {
		t.Errorf("both: %d %s", code, errs)
	}
}
