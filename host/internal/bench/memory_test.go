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

	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim/bare"
)

// bareEnv makes the test binary a process of bare clients: its value is a crew as JSON.
const bareEnv = "TAPNODE_BENCH_BARE"

// resident is the memory of a process before and after its instances connected, and, if they
// have sent, after that, KiB.
type resident struct{ Empty, Connected, Used float64 }

// memory restarts the node with n paired instances, starts a process with as many bare
// clients, and compares what they need when each has only logged in, and then, for menus > 0,
// when each has sent so many. Before its memory is read a process is left alone for idle.
func (l *lab) memory(t table, n, menus int, idle time.Duration) {
	l.tb.Helper()
	l.must(l.tapnode.grow(n))
	l.must(l.full.grow(n))
	l.must(l.full.close())
	l.stop()
	node := resident{Empty: l.emptyNode(idle)}
	l.start()
	for _, a := range l.tapnode.accounts {
		l.must(a.Linked()[0].WaitActive(l.ctx))
	}
	time.Sleep(idle)
	node.Connected = l.nodeMemory()
	if menus > 0 {
		l.must(together(0, n, func(i int) error {
			for k := range menus {
				if err := l.tapnode.send(l.ctx, i, l.customer(i+k)); err != nil {
					return err
				}
			}
			return nil
		}))
		time.Sleep(idle)
		node.Used = l.nodeMemory()
	}
	bare, err := l.bareMemory(menus, idle)
	l.must(err)
	l.must(l.full.open(l.full.sync))
	l.must(l.full.connect())

	all := func(f func(r resident) float64) [][]float64 { return [][]float64{{f(node)}, {f(bare)}, nil} }
	t.add(measure{name: fmt.Sprintf("RSS with %d instances, MiB", n), combine: quotient,
		values: all(func(r resident) float64 { return r.Connected / 1024 })})
	t.add(measure{name: "RSS per instance, KiB", combine: quotient,
		values: all(func(r resident) float64 { return (r.Connected - r.Empty) / float64(n) }), goal: "≤ 1 / 0.8"})
	if menus > 0 {
		t.add(measure{name: fmt.Sprintf("RSS per instance after %d menus, KiB", menus), combine: quotient,
			values: all(func(r resident) float64 { return (r.Used - r.Empty) / float64(n) }), goal: "≤ 800 / 400 KiB"})
	}
}

// emptyNode is the memory of a node without instances.
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

// crew is what a process of bare clients does: all of them log in, and then each sends the message
// so often, to one customer after the other.
type crew struct {
	bare.Options
	Message []byte
	To      []string // phone numbers
	Each    int
	Idle    time.Duration
}

// bareMemory runs this binary as a process of all clients of the shared file, without syncs, which
// take time and no memory.
func (l *lab) bareMemory(menus int, idle time.Duration) (r resident, err error) {
	c := crew{Options: l.full.options("full.db", bare.Off), Each: menus, Idle: idle}
	if c.Message, err = proto.Marshal(l.full.message); err != nil {
		return r, err
	}
	for _, a := range l.customers {
		c.To = append(c.To, a.Phone())
	}
	options, err := json.Marshal(c)
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
	var all crew
	if err := json.Unmarshal([]byte(raw), &all); err != nil {
		return r, err
	}
	store, err := bare.Open(ctx, all.Options)
	if err != nil {
		return r, err
	}
	defer store.Close()
	time.Sleep(all.Idle)
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
	time.Sleep(all.Idle)
	if r.Connected, err = memoryOf("self"); err != nil || all.Each == 0 {
		return r, err
	}
	if err := together(0, len(clients), func(i int) error { return all.send(ctx, clients[i], i) }); err != nil {
		return r, err
	}
	time.Sleep(all.Idle)
	r.Used, err = memoryOf("self")
	return r, err
}

// send sends the menus of the i-th client, as the node's i-th instance does.
func (c crew) send(ctx context.Context, client *bare.Client, i int) error {
	send := make([]func() error, len(c.To))
	for k := range c.Each {
		n := (i + k) % len(c.To)
		if send[n] == nil {
			to, err := client.Find(ctx, c.To[n])
			if err != nil {
				return err
			}
			send[n] = func() error {
				m, err := parsed((&bare.Message{}).Message, c.Message) // of a type that only plugin/ may name
				if err == nil {
					_, err = client.Send(ctx, to, m, nil)
				}
				return err
			}
		}
		if err := send[n](); err != nil {
			return err
		}
	}
	return nil
}

func parsed[M proto.Message](like M, raw []byte) (M, error) {
	m := like.ProtoReflect().New().Interface().(M)
	return m, proto.Unmarshal(raw, m)
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
