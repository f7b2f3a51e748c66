package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// clickFlow is the workload: a switch with three branches and an answer made by an expression, which
// is sent when the run has reached its last node.
const clickFlow = `
apiVersion: flow/v1
kind: Flow
metadata: {id: click}
triggers: [{id: hook, type: webhook, with: {path: click, auth: {type: none}}, to: which}]
nodes:
  - id: which
    type: switch@1
    with:
      cases:
        - {id: billing, when: "${ event.body.button.id == 'billing' }"}
        - {id: support, when: "${ event.body.button.id == 'support' }"}
        - {id: sales, when: "${ event.body.button.id == 'sales' }"}
  - {id: billing, type: respond@1, with: {body: {ok: true, branch: billing, reply: "Billing: ${ event.body.from.name } (${ event.body.from.id }), order ${ event.body.vars.orderId }, tapped ${ event.body.button.id }"}}}
  - {id: support, type: respond@1, with: {body: {ok: true, branch: support, reply: "Support: ${ event.body.from.name } (${ event.body.from.id }), order ${ event.body.vars.orderId }, tapped ${ event.body.button.id }"}}}
  - {id: sales, type: respond@1, with: {body: {ok: true, branch: sales, reply: "Sales: ${ event.body.from.name } (${ event.body.from.id }), order ${ event.body.vars.orderId }, tapped ${ event.body.button.id }"}}}
edges:
  - {from: "which.case:billing", to: billing}
  - {from: "which.case:support", to: support}
  - {from: "which.case:sales", to: sales}
`

// program is a running server of the workload.
type program struct {
	name, address string
	pid           int
	database      string // Postgres; empty: SQLite, or no database
}

// cpu returns the processor time that the program has used, in milliseconds.
func (p program) cpu() (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0, err
	}
	// proc_pid_stat(5): utime and stime are the 14th and 15th field, in ticks of 10 ms.
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	var ticks float64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return ticks * 10, nil
}

// serving matches the first line that tapnode serve prints.
var serving = regexp.MustCompile(`tapnode serves at (\S+)`)

// serve runs the real command with the workload's flow until the end of the test. A command such as
// strace, if given, runs it.
func serve(tb testing.TB, name, postgres string, before ...string) program {
	tb.Helper()
	dir, err := os.MkdirTemp("", "tb") // the path of tb.TempDir is too long for a socket
	fatal(tb, err)
	tb.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "click.yaml")
	fatal(tb, os.WriteFile(file, []byte(clickFlow), 0o600))
	settings := filepath.Join(dir, "settings.json") // the node runs, but the flow does not use it, and it asks nothing of WhatsApp
	fatal(tb, os.WriteFile(settings, []byte(`{"whatsapp-send-buttons": {"server": {"url": "http://127.0.0.1:9", "rootKey": "`+strings.Repeat("00", 32)+`"}}}`), 0o600))
	args := append(before, hostBinary, "serve", "--data", filepath.Join(dir, "data"), "--nodes", filepath.Dir(nodeBinary), "--listen", "127.0.0.1:0", "--settings", settings)
	if postgres != "" {
		args = append(args, "--database", postgres)
	}
	p := start(tb, name, serving, append(args, file)...)
	p.address += "/hooks/click"
	p.database = postgres
	return p
}

// logFile receives what a server logs, and is printed only if the benchmark fails; otherwise hundreds
// of lines would separate the figures.
func logFile(tb testing.TB, name string) *os.File {
	tb.Helper()
	file, err := os.CreateTemp(tb.TempDir(), "log")
	fatal(tb, err)
	tb.Cleanup(func() {
		defer file.Close()
		if !tb.Failed() {
			return
		}
		said, err := os.ReadFile(file.Name())
		fatal(tb, err)
		tb.Logf("%s logged:\n%s", name, said)
	})
	return file
}

// startTime bounds how long a server may take to start.
const startTime = time.Minute

// start runs a server until the end of the test, and waits for the line with its address.
func start(tb testing.TB, name string, greeting *regexp.Regexp, args ...string) program {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // this benchmark's own
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Stderr = logFile(tb, name)
	out, err := cmd.StdoutPipe()
	fatal(tb, err)
	fatal(tb, cmd.Start())
	found := make(chan string, 1)
	read := make(chan struct{})
	go func() { // so that printing costs the server what it would cost in a terminal
		defer close(read)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := greeting.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
				break
			}
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	tb.Cleanup(func() {
		cancel()
		<-read
		var ended *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) && !errors.As(err, &ended) {
			tb.Errorf("%s: %v", name, err)
		}
	})
	select {
	case address := <-found:
		return program{name: name, address: address, pid: cmd.Process.Pid}
	case <-read:
		tb.Fatalf("%s ended at once", name)
	case <-time.After(startTime):
		tb.Fatalf("%s did not start", name)
	}
	return program{}
}
