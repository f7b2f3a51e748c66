package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim/bare"
)

// resident is the resident memory of a process in KiB: before its instances connected, afterwards,
// and, if they have sent messages, after that.
type resident struct{ Empty, Connected, Used float64 }

// memory restarts the node with n paired instances, starts a process with as many bare clients, and
// compares their memory when each instance has only logged in and, for menus > 0, when each has also
// sent that many menus. Before its memory is read, a process is left idle for the given time.
func (l *lab) memory(t table, n, menus int, idle time.Duration) {
	l.tb.Helper()
	l.must(l.tapnode.grow(n))
	l.must(l.alone.grow(n))
	l.must(l.alone.close())
	l.stop()
	node := resident{Empty: l.emptyNode(idle)}
	l.start()
	for _, a := range l.tapnode.accounts {
		l.must(a.Linked()[0].WaitActive(l.ctx))
	}
	time.Sleep(idle)
	node.Connected = l.nodeMemory()
	if menus > 0 {
		l.exhaust(l.tapnode, n, menus)
		time.Sleep(idle)
		node.Used = l.nodeMemory()
	}
	l.stop()
	bare := l.bareMemory(n, menus, idle)
	l.must(l.alone.launch(l.alone.sync))
	l.start()

	all := func(f func(r resident) float64) [][]float64 { return [][]float64{{f(node)}, {f(bare)}, nil, nil} }
	t.add(measure{name: fmt.Sprintf("RSS with %d instances, MiB", n), combine: quotient,
		values: all(func(r resident) float64 { return r.Connected / 1024 })})
	t.add(measure{name: "RSS per instance, KiB", combine: quotient,
		values: all(func(r resident) float64 { return (r.Connected - r.Empty) / float64(n) }), goal: "≤ 1 / 0.8"})
	if menus > 0 {
		t.add(measure{name: fmt.Sprintf("RSS per instance after %d menus, KiB", menus), combine: quotient,
			values: all(func(r resident) float64 { return (r.Used - r.Empty) / float64(n) }), goal: "≤ 800 / 400 KiB"})
	}
}

// emptyNode returns the memory of a node without instances.
func (l *lab) emptyNode(idle time.Duration) float64 {
	l.tb.Helper()
	data := l.data
	l.data = filepath.Join(l.dir, "nobody")
	l.start()
	time.Sleep(idle)
	kib := l.nodeMemory()
	l.stop()
	l.data = data
	return kib
}

// bareMemory returns the memory of a process with the clients of the shared file. They do not sync to
// disk, which would take time but no memory.
func (l *lab) bareMemory(n, menus int, idle time.Duration) (r resident) {
	l.tb.Helper()
	l.must(l.alone.start(bare.Off))
	read := func() float64 {
		time.Sleep(idle)
		kib, err := memoryOf(strconv.Itoa(l.alone.process.pid()))
		l.must(err)
		return kib
	}
	r.Empty = read()
	l.must(l.alone.login())
	r.Connected = read()
	if menus > 0 {
		l.exhaust(l.alone.arm, n, menus)
		r.Used = read()
	}
	l.must(l.alone.close())
	return r
}

// exhaust has each of n instances send a number of menus, to one customer after the other.
func (l *lab) exhaust(a *arm, n, menus int) {
	l.tb.Helper()
	all := make([]errand, n)
	for i := range all {
		all[i].from = i
		for k := range menus {
			all[i].to = append(all[i].to, l.customer(i+k))
		}
	}
	_, _, err := a.run(l.ctx, all, 4)
	l.must(err)
}

// nodeMemory returns the memory of the node.
func (l *lab) nodeMemory() float64 {
	l.tb.Helper()
	kib, err := memoryOf(strconv.Itoa(l.nodeProcess()))
	l.must(err)
	return kib
}

// nodeProcess returns the pid of the node: the only child of this process that does not run bare
// clients.
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
		if len(rest) < 2 || rest[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		l.must(err)
		if l.alone == nil || l.alone.process == nil || pid != l.alone.process.pid() {
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
