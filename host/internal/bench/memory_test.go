package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim/bare"
)

// bareEnv makes the test binary a process of bare clients: its value is their
// bare.Options as JSON.
const bareEnv = "TAPNODE_BENCH_BARE"

// idle is how long a process that has just logged in everybody is left alone before
// its memory is read, for the garbage of the logins to go.
const idle = 3 * time.Second

// resident is the memory of a process before and after its instances connected, KiB.
type resident struct{ Empty, Connected float64 }

// memory restarts the node with n paired instances, starts a process with as many bare
// clients, and compares what they need.
func (l *lab) memory(t table, n int) {
	l.tb.Helper()
	l.must(l.tapnode.grow(n))
	l.must(l.full.grow(n))
	l.must(l.full.close())
	l.stop()
	l.start()
	for _, a := range l.tapnode.accounts {
		l.must(a.Linked()[0].WaitActive(l.ctx))
	}
	time.Sleep(idle)
	node := resident{l.empty, l.nodeMemory()}
	bare, err := l.bareMemory()
	l.must(err)
	l.must(l.full.open(l.full.sync))
	l.must(l.full.connect())

	all := func(f func(r resident) float64) [][]float64 { return [][]float64{{f(node)}, {f(bare)}, nil} }
	t.add(measure{name: fmt.Sprintf("RSS with %d instances, MiB", n), combine: quotient,
		values: all(func(r resident) float64 { return r.Connected / 1024 })})
	t.add(measure{name: "RSS per instance, KiB", combine: quotient,
		values: all(func(r resident) float64 { return (r.Connected - r.Empty) / float64(n) })})
}

// bareMemory runs this binary as a process of all clients of the shared file.
func (l *lab) bareMemory() (r resident, err error) {
	options, err := json.Marshal(l.full.options("full.db", bare.Full))
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(l.ctx, os.Args[0]) //nolint:gosec // this very test
	cmd.Env = append(os.Environ(), bareEnv+"="+string(options))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("process of bare clients: %w", err)
	}
	return r, json.Unmarshal(out, &r)
}

// bareMain is that process.
func bareMain(raw string) int {
	ctx, cancel := context.WithTimeout(context.Background(), labTimeout)
	defer cancel()
	r, err := connectBare(ctx, raw)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func connectBare(ctx context.Context, raw string) (r resident, err error) {
	var options bare.Options
	if err := json.Unmarshal([]byte(raw), &options); err != nil {
		return r, err
	}
	store, err := bare.Open(ctx, options)
	if err != nil {
		return r, err
	}
	defer store.Close()
	if r.Empty, err = memoryOf("self"); err != nil {
		return r, err
	}
	clients, err := store.Clients(ctx)
	if err != nil {
		return r, err
	}
	defer func() {
		for _, c := range clients {
			c.Disconnect()
		}
	}()
	if err := together(0, len(clients), func(i int) error { return clients[i].Connect(ctx) }); err != nil {
		return r, err
	}
	time.Sleep(idle)
	r.Connected, err = memoryOf("self")
	return r, err
}

// nodeMemory is that of the node.
func (l *lab) nodeMemory() float64 {
	l.tb.Helper()
	kib, err := memoryOf(strconv.Itoa(l.nodeProcess()))
	l.must(err)
	return kib
}

// nodeProcess is the pid of the node, the only child of this process.
func (l *lab) nodeProcess() int {
	l.tb.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	l.must(err)
	for _, path := range stats {
		raw, err := os.ReadFile(path) //nolint:gosec // below /proc
		if err != nil {
			continue // the process has ended
		}
		// proc_pid_stat(5): pid (name) state ppid …
		rest := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		if len(rest) > 1 && rest[1] == strconv.Itoa(os.Getpid()) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			l.must(err)
			return pid
		}
	}
	l.tb.Fatal("the node's process is not to be found below /proc, where Linux has it")
	return 0
}

// memoryOf reads the resident memory of a process in KiB.
func memoryOf(pid string) (float64, error) {
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0, fmt.Errorf("no VmRSS in the status of process %s", pid)
	}
	return strconv.ParseFloat(fields[0], 64)
}
