package bench

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// nodeREDEnv names the directory where "npm i node-red@4.1.8" was run. Without it there is no
// comparison with Node-RED.
const nodeREDEnv = "TAPNODE_BENCH_NODERED"

// nodeRED starts Node-RED with the flow of the workload. It stores nothing of a run.
func nodeRED(tb testing.TB, installed string) program {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	fatal(tb, err)
	port := l.Addr().(*net.TCPAddr).Port
	fatal(tb, l.Close())
	dir := tb.TempDir()
	type node map[string]any
	flow := []node{
		{"id": "tab", "type": "tab", "label": "click"},
		{"id": "in", "type": "http in", "z": "tab", "url": "/click", "method": "post", "wires": [][]string{{"which"}}},
		{"id": "out", "type": "http response", "z": "tab", "wires": []any{}},
	}
	var rules []node
	var wires [][]string
	for _, id := range []string{"billing", "support", "sales"} {
		rules = append(rules, node{"t": "eq", "v": id, "vt": "str"})
		wires = append(wires, []string{id})
		flow = append(flow, node{"id": id, "type": "change", "z": "tab", "wires": [][]string{{"out"}}, "rules": []node{{"t": "set", "p": "payload", "pt": "msg", "tot": "jsonata",
			"to": fmt.Sprintf(`{"ok":true,"branch":%q,"reply":"%s: "&payload.from.name&" ("&payload.from.id&"), order "&payload.vars.orderId&", tapped "&payload.button.id}`, id, titles[id])}}})
	}
	flow = append(flow, node{"id": "which", "type": "switch", "z": "tab", "property": "payload.button.id", "propertyType": "msg", "rules": rules,
		"checkall": "false", "outputs": len(rules), "wires": wires})
	src, err := json.Marshal(flow)
	fatal(tb, err)
	fatal(tb, os.WriteFile(filepath.Join(dir, "flows.json"), src, 0o600))
	settings := fmt.Sprintf(`module.exports = {uiHost: "127.0.0.1", uiPort: %d, httpAdminRoot: false, flowFile: "flows.json", logging: {console: {level: "info"}}}`, port)
	file := filepath.Join(dir, "settings.js")
	fatal(tb, os.WriteFile(file, []byte(settings), 0o600))
	p := start(tb, "Node-RED, keeps nothing", regexp.MustCompile(`(Started flows)`), "node", filepath.Join(installed, "node_modules/node-red/red.js"), "-u", dir, "-s", file)
	p.address = fmt.Sprintf("http://127.0.0.1:%d/click", port)
	return p
}
