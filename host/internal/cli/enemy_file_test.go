package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk/nodetest"
)

// flowWith is a valid flow with one part to replace.
const flowWith = `apiVersion: flow/v1
kind: Flow
metadata: {id: enemy, name: Enemy}
triggers:
  - {id: start, type: manual, to: ask}
nodes:
  - id: ask
    type: whatsapp.sendButtons@1
    with:
      instance: demo
      number: "5511999990001"
      contentText: Really?
      buttons: %s
    wait: {timeout: 1h}
  - {id: done, type: log@1, with: {message: done}}
edges:
  - {from: "ask.reply:*", to: done}
  - {from: ask.timeout, to: done}
`

// hostileFlows are files that are YAML but not flows.
func hostileFlows() []nodetest.HostileInput {
	bomb := "a0: &a0 [x]\n"
	for i := 1; i < 40; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [*a%d, *a%d, *a%d]\n", i, i, i-1, i-1, i-1)
	}
	buttons := func(s string) []byte { return fmt.Appendf(nil, flowWith, s) }
	return append(nodetest.Hostile(), []nodetest.HostileInput{
		{Name: "alias bomb", Bytes: []byte(bomb)},
		{Name: "alias of itself", Bytes: []byte("a: &a [*a]\n")},
		{Name: "10,000 deep block", Bytes: []byte(strings.Repeat("- ", 10_000) + "x\n")},
		{Name: "10,000 deep indent", Bytes: deepIndent(1_000)},
		{Name: "tab", Bytes: []byte("kind: Flow\n\tmetadata: 1\n")},
		{Name: "tag", Bytes: []byte("kind: !!python/object:os.system x\n")},
		{Name: "two documents of YAML", Bytes: []byte("kind: Flow\n---\nkind: Flow\n")},
		{Name: "key that is no string", Bytes: []byte("1: 2\n[a]: b\n")},
		{Name: "terminal escape", Bytes: []byte("kind: \"\\e[2J\\e]0;owned\\a\"\n\"\\e[31m\": 1\n")},
		{Name: "a byte too long", Bytes: []byte(strings.Repeat("#", flow.MaxSize+1))},
		{Name: "button id twice", Bytes: buttons(`[{id: a, displayText: One}, {id: a, displayText: Two}]`)},
		{Name: "four buttons", Bytes: buttons(`[{id: a, displayText: A}, {id: b, displayText: B}, {id: c, displayText: C}, {id: d, displayText: D}]`)},
		{Name: "button without text", Bytes: buttons(`[{id: a, displayText: ""}]`)},
		{Name: "buttons of the wrong type", Bytes: buttons(`{id: a}`)},
		{Name: "unknown member of a button", Bytes: buttons(`[{id: a, displayText: A, colour: red}]`)},
		{Name: "expression that does not end", Bytes: buttons(`"${ run.vars. }"`)},
	}...)
}

func deepIndent(depth int) []byte {
	var b bytes.Buffer
	for i := range depth {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i))
	}
	return b.Bytes()
}

// TestHostileFlows: validate finds something in each file, says where, and prints nothing that a
// terminal would act on.
func TestHostileFlows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inputs := hostileFlows()
	args := []string{"validate"}
	path := func(i int) string { return filepath.Join(dir, fmt.Sprintf("%02d.yaml", i)) }
	for i, in := range inputs {
		if err := os.WriteFile(path(i), in.Bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path(i))
	}
	good := filepath.Join(dir, "good.yaml")
	if err := os.WriteFile(good, fmt.Appendf(nil, flowWith, `[{id: "🇧🇷", displayText: "Olá 👩‍👩‍👧‍👦"}, {id: e, displayText: "e\u0301 العربية"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := Main(append(args, good), &out, &errs); code != exitInvalid || errs.Len() > 0 {
		t.Errorf("exit code %d, stderr %s", code, &errs)
	}
	finding := regexp.MustCompile(`^(.+\.yaml)(:\d+)?: error: `)
	found := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		if m := finding.FindStringSubmatch(line); m != nil {
			found[m[1]] = true
		}
		if len(line) > 4096 || strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 || r == 0xfffd }) {
			t.Errorf("not fit for a terminal: %.300q", line)
		}
	}
	for i, in := range inputs {
		if !found[path(i)] {
			t.Errorf("%s: no finding", in.Name)
		}
	}
	if !strings.Contains(out.String(), good+": ok\n") {
		t.Error("the good flow behind them is not ok")
	}
}

// TestRunHostileFlow: nothing starts for a file that is not a flow.
func TestRunHostileFlow(t *testing.T) {
	t.Parallel()
	for _, in := range hostileFlows()[30:34] {
		path := filepath.Join(t.TempDir(), "flow.yaml")
		if err := os.WriteFile(path, in.Bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		code := Main([]string{"run", path, "--simulate"}, &out, &errs)
		if code != exitInvalid || out.Len() > 0 || !strings.Contains(errs.String(), path) {
			t.Errorf("%s: exit code %d\n%s%s", in.Name, code, &out, &errs)
		}
	}
}
