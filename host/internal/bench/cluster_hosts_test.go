package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/app"
	"github.com/tapnode/tapnode/plugin/wasim"
)

// tapFlow sends a menu, and calls a web service when its button is tapped.
const tapFlow = `
apiVersion: flow/v1
kind: Flow
metadata: {id: tap}
vars: {type: object, properties: {phone: {type: string}, instance: {type: string}, text: {type: string}}}
triggers: [{id: start, type: manual, to: ask}]
nodes:
  - id: ask
    type: whatsapp.sendButtons@1
    with: {instance: "${ vars.instance }", number: "${ vars.phone }", contentText: "${ vars.text }", buttons: [{id: home, displayText: Bring it home}]}
    wait: {timeout: 1d}
  - {id: next, type: http.request@1, with: {method: POST, url: %q}}
edges: [{from: "ask.reply:home", to: next}]
`

// group is a cluster of hosts with its instances.
type group struct {
	tb      testing.TB
	hosts   []*member
	name    string
	devices []*wasim.Device // of the instances
	phones  []*wasim.Phone  // one customer for each
	hits    *hits
	base    int // pid of their Postgres server; 0: none

	order, deaths int
}

// member is a host of a group.
type member struct {
	program
	group *group
	args  []string
	data  string
	http  *http.Client
}

// group pairs instances in a Postgres database, or in a file if there is none, and starts hosts on
// them with a flow.
func (l *lab) group(instances, hosts int, runs, node, flow string) *group {
	l.tb.Helper()
	dir, err := os.MkdirTemp("", "tb") // the path of a socket must be short
	l.must(err)
	l.tb.Cleanup(func() { os.RemoveAll(dir) })
	l.invited++
	g := &group{tb: l.tb, name: fmt.Sprintf("g%d-", l.invited)}
	settings := map[string]any{"server": map[string]any{"url": l.sim.URL(), "rootKey": l.sim.RootKey()}, "pacing": map[string]any{"perMinute": l.perMinute}}
	if node != "" {
		settings["store"] = map[string]any{"dsn": node}
		g.base = postmaster(l.tb, node)
	}
	own, err := json.Marshal(settings)
	l.must(err)
	all, err := json.Marshal(map[string]json.RawMessage{installed[0].Name: own})
	l.must(err)
	settingsFile, flowFile := filepath.Join(dir, "settings.json"), filepath.Join(dir, "flow.yaml")
	l.must(os.WriteFile(settingsFile, all, 0o600))
	l.must(os.WriteFile(flowFile, []byte(flow), 0o600))

	l.host, err = app.Open(app.Options{Nodes: installed, DataDir: filepath.Join(dir, "host0"), Settings: map[string]json.RawMessage{installed[0].Name: own}})
	l.must(err)
	l.must(l.host.Start(l.ctx))
	accounts := make([]*wasim.Account, instances)
	for i := range instances {
		accounts[i], err = l.sim.NewAccount(fmt.Sprintf("5531%d%08d", l.invited, i))
		l.must(err)
		phone, err := l.sim.NewPhone(l.ctx, fmt.Sprintf("5541%d%08d", l.invited, i))
		l.must(err)
		g.phones = append(g.phones, phone)
	}
	l.must(together(0, instances, func(i int) error { return l.pair(g.instance(i), accounts[i]) }))
	l.stop()
	for _, a := range accounts {
		g.devices = append(g.devices, a.Linked()[0])
	}
	for i := range hosts {
		h := &member{group: g, data: filepath.Join(dir, fmt.Sprint("host", i))}
		h.args = []string{hostBinary, "serve", flowFile, "--data", h.data, "--nodes", filepath.Dir(nodeBinary), "--listen", "127.0.0.1:0", "--settings", settingsFile, "--allow-private"}
		if runs != "" {
			h.args = append(h.args, "--database", runs)
		}
		h.begin()
		g.hosts = append(g.hosts, h)
	}
	l.must(g.until(l.ctx, g.online))
	l.must(g.spread(l.ctx))
	return g
}

// spread gives each host its share of the instances at once; by themselves the hosts may take a
// minute.
func (g *group) spread(ctx context.Context) error {
	if len(g.hosts) == 1 {
		return nil
	}
	for i := range g.devices {
		to, err := os.ReadFile(filepath.Join(g.host(i).data, "host.id"))
		if err != nil {
			return err
		}
		if err := g.hosts[0].ask(ctx, http.MethodPost, "/v1/instances/"+g.instance(i)+"/move", map[string]string{"host": strings.TrimSpace(string(to))}, nil); err != nil {
			return err
		}
	}
	return poll(ctx, 250*time.Millisecond, func() bool { // each has taken over its share; polling more often would only keep the hosts busy
		var all struct {
			Hosts []struct{ Instances []string }
		}
		var now struct{ Instances []struct{ State string } }
		err := errors.Join(g.hosts[0].ask(ctx, http.MethodGet, "/v1/hosts", nil, &all), g.hosts[0].ask(ctx, http.MethodGet, "/v1/instances", nil, &now))
		for _, h := range all.Hosts {
			if len(h.Instances) < len(g.devices)/len(g.hosts) {
				return false
			}
		}
		for _, i := range now.Instances {
			if i.State != "connected" {
				return false
			}
		}
		return err == nil && g.online()
	})
}

// until waits for a condition whose check costs the hosts nothing.
func (g *group) until(ctx context.Context, holds func() bool) error {
	return poll(ctx, 5*time.Millisecond, holds)
}

func poll(ctx context.Context, every time.Duration, holds func() bool) error {
	for !holds() {
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return fmt.Errorf("that did not come: %w", ctx.Err())
		}
	}
	return nil
}

// begin starts the host, for the first time or again.
func (h *member) begin() {
	h.program = start(h.group.tb, h.data, serving, h.args...)
	h.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		path, err := app.FindControl(h.data) // requests over this socket have no rate limit
		if err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
}

// kill returns when the host holds nothing any more: all of its threads have ended, and its
// directory is free.
func (h *member) kill(ctx context.Context) error {
	if err := syscall.Kill(h.pid, syscall.SIGKILL); err != nil {
		return err
	}
	proc := fmt.Sprintf("/proc/%d", h.pid)
	return poll(ctx, time.Millisecond, func() bool {
		stat, err := os.ReadFile(filepath.Join(proc, "stat"))
		threads, _ := os.ReadDir(filepath.Join(proc, "task"))
		return err != nil || bytes.Contains(stat, []byte(") Z ")) && len(threads) <= 1
	})
}

// ask makes a request and decodes the answer, unless the target is nil.
func (h *member) ask(ctx context.Context, method, path string, body, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://tapnode"+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	res, err := h.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("%s answers %s: %s", path, res.Status, answer)
	}
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(answer, into)
}

func (h *member) send(ctx context.Context, instance, number string) error {
	return h.ask(ctx, http.MethodPost, "/v1/operations/whatsapp.sendButtons@1/execute", map[string]json.RawMessage{"input": menu(instance, number)}, nil)
}

// ask starts a run and returns its menu on the phone.
func (g *group) ask(ctx context.Context, h *member, i int) (wasim.Message, error) {
	text := fmt.Sprintf("%s%d of %d", g.name, len(g.phones[i].Inbox()), i)
	if err := h.ask(ctx, http.MethodPost, "/v1/flows/tap/runs", map[string]any{"vars": map[string]string{"phone": g.phones[i].Account().Phone(), "instance": g.instance(i), "text": text}}, nil); err != nil {
		return wasim.Message{}, err
	}
	return g.phones[i].Wait(ctx, func(m wasim.Message) bool { return strings.Contains(m.Text, text) })
}

func (g *group) instance(i int) string { return g.name + strconv.Itoa(i) }
func (g *group) host(i int) *member    { return g.hosts[i%len(g.hosts)] }

func (g *group) logins() (n int) {
	for _, d := range g.devices {
		n += d.Logins()
	}
	return n
}

func (g *group) online() bool {
	for _, d := range g.devices {
		if !d.Online() {
			return false
		}
	}
	return true
}

// cpu is the processor time of the hosts and their nodes, in milliseconds.
func (g *group) cpu() (all float64) {
	for _, h := range g.hosts {
		all += treeCPU(g.tb, h.pid)
	}
	return all
}

// baseCPU is the processor time of their Postgres server, in milliseconds.
func (g *group) baseCPU() float64 {
	if g.base == 0 {
		return 0
	}
	return treeCPU(g.tb, g.base)
}

// treeCPU is the processor time of a process and its children.
func treeCPU(tb testing.TB, pid int) float64 {
	tb.Helper()
	all, err := program{pid: pid}.cpu()
	fatal(tb, err)
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	fatal(tb, err)
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:])) // state, parent
		if child, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && fields[1] == strconv.Itoa(pid) {
			if used, err := (program{pid: child}).cpu(); err == nil {
				all += used
			}
		}
	}
	return all
}

// postmaster returns the pid of the main process of the Postgres server that a connection string
// names. The directory of its socket also holds its data directory. 0 if the server is not ours.
func postmaster(tb testing.TB, dsn string) int {
	tb.Helper()
	u, err := url.Parse(dsn)
	fatal(tb, err)
	raw, err := os.ReadFile(filepath.Join(u.Query().Get("host"), "data", "postmaster.pid"))
	if err != nil {
		return 0 // a server that the tests did not start
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(first)
	fatal(tb, err)
	return pid
}

// hits is a web service that notes when it was called.
type hits struct {
	server *httptest.Server
	at     chan time.Time
}

func countHits(tb testing.TB) *hits {
	h := &hits{at: make(chan time.Time, 1000)}
	h.server = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { h.at <- time.Now() }))
	tb.Cleanup(h.server.Close)
	return h
}

func (h *hits) next(ctx context.Context) (time.Time, error) {
	select {
	case at := <-h.at:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, errors.Join(errors.New("the next node was not called"), ctx.Err())
	}
}
