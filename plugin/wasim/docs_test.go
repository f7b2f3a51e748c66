package wasim_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/wasim"
)

const guide = "../../docs/wasim.md"

// block is a fenced block of the guide.
type block struct{ kind, text string }

func blocks(t *testing.T) (all []block, text string) {
	t.Helper()
	raw, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```").FindAllStringSubmatch(string(raw), -1) {
		all = append(all, block{m[1], m[2]})
	}
	return all, string(raw)
}

// TestDocsCommands runs the guide's commands from top to bottom with bash and curl, and compares the form of their
// answers with what the guide shows. The client that the guide speaks of is a whatsmeow client here.
func TestDocsCommands(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the guide's commands need %s", tool)
		}
	}
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000") // keeps the client; the guide makes the account
	if err := b.cli.Connect(); err != nil {
		t.Fatal(err)
	}
	qr, _ := await[*events.QR](t, b, 0, nil)
	env := append(os.Environ(), "SIM="+strings.TrimSuffix(s.URL()+wasim.ControlPath, "/"), "QR="+qr.Codes[0])
	after := map[string]func(){
		"/inbox": func() { await(t, b, 0, func(e *events.Receipt) bool { return e.Type == "inactive" }) },
		"/scan":  func() { await[*events.Connected](t, b, 0, nil) },
		"/phones -d": func() {
			msg, biz := choice("Is Friday fine?", "yes", "no")
			sent, err := b.cli.SendMessage(within(t), s.Account("5511900000002").JID(), msg, whatsmeow.SendRequestExtra{AdditionalNodes: &biz})
			if err != nil {
				t.Fatal(err)
			}
			env = append(env, "ID="+sent.ID)
		},
	}
	all, _ := blocks(t)
	for i, block := range all {
		if block.kind != "sh" {
			continue
		}
		cmd := exec.CommandContext(within(t), "bash", "-euc", `curl() { command curl --fail-with-body "$@"; }`+"\n"+block.text)
		cmd.Env = env
		var problems strings.Builder
		cmd.Stderr = &problems
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s%s%s%v", block.text, out, &problems, err)
		}
		t.Logf("%s%s", block.text, out)
		if i+1 < len(all) && all[i+1].kind == "json" {
			if diff := formDiff(t, all[i+1].text, string(out)); diff != "" {
				t.Errorf("%sanswered\n%s%s", block.text, out, diff)
			}
		}
		for command, then := range after {
			if strings.Contains(block.text, command) {
				then()
			}
		}
	}
	noUnhandled(t, s)
}

// formDiff compares members and types of two JSON texts; values may differ.
func formDiff(t *testing.T, want, got string) string {
	t.Helper()
	read := func(text string) []string {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return form("", v)
	}
	if w, g := read(want), read(got); !slices.Equal(w, g) {
		return fmt.Sprintf("the guide has the form  %v\nthe answer has the form %v", w, g)
	}
	return ""
}

// form lists the places of a JSON value with their types; of an array, the first element stands for all.
func form(at string, v any) []string {
	switch v := v.(type) {
	case map[string]any:
		var out []string
		for name, member := range v {
			out = append(out, form(at+"/"+name, member)...)
		}
		slices.Sort(out)
		return out
	case []any:
		if len(v) == 0 {
			return []string{at + " []"}
		}
		return form(at+"/0", v[0])
	default:
		return []string{fmt.Sprintf("%s %T", at, v)}
	}
}

// TestDocsNameEverything keeps the guide complete: endpoints, members of a rule, and Go lines taken from the example.
func TestDocsNameEverything(t *testing.T) {
	s := start(t, wasim.Options{})
	all, guide := blocks(t)
	var index struct {
		Endpoints []struct{ Method, Path, Curl string }
	}
	control(t, s).call("GET", "", "", 200, &index)
	for _, e := range index.Endpoints {
		last := e.Path[strings.LastIndexByte(strings.TrimRight(e.Path, "}"), '/')+1:]
		if strings.HasPrefix(last, "{") {
			last = strings.Split(strings.TrimPrefix(e.Path, wasim.ControlPath), "/")[0]
		}
		if !strings.Contains(guide, "/"+last) {
			t.Errorf("the guide does not name %s %s", e.Method, e.Path)
		}
		if !strings.Contains(e.Curl, s.URL()+wasim.ControlPath) {
			t.Errorf("command of %s %s: %s", e.Method, e.Path, e.Curl)
		}
	}
	for _, each := range []any{wasim.FaultRule{}, wasim.FaultMatch{}, wasim.Fault{}, wasim.LoginFailure{}, wasim.IQError{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(each)) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); !strings.Contains(guide, name) {
				t.Errorf("the guide does not name %q of %T", name, each)
			}
		}
	}
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range all {
		for line := range strings.Lines(block.text) {
			if block.kind == "go" && !strings.Contains(string(example), strings.TrimSpace(line)) {
				t.Errorf("not a line of example_test.go: %s", line)
			}
		}
	}
}
