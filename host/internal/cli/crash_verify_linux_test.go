package cli

import (
	"database/sql"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // reads the node's ledger
	_ "modernc.org/sqlite"             // reads the node's ledger

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// settle waits until the host has started and every tap is in the history of its run, and then
// until no run has anything left to do.
func (c *crash) settle() {
	c.until(func() bool { return c.host.control.get(c.t.Context(), http.MethodGet, "/readyz", nil, nil, nil) == nil })
	for _, r := range c.runs {
		if r.button == "" {
			continue
		}
		c.until(func() bool {
			var history []byte
			err := c.host.control.get(c.t.Context(), http.MethodGet, v1("runs", r.id), nil, nil, &history)
			return err == nil && slices.ContainsFunc(takesTap, func(k run.TraceKind) bool { return strings.Contains(string(history), `"`+string(k)+`"`) })
		})
	}
	c.until(func() bool {
		var page engine.Page
		err := c.host.control.get(c.t.Context(), http.MethodGet, v1("runs"), map[string][]string{"status": {"running"}, "limit": {"1"}}, nil, &page)
		return err == nil && len(page.Runs) == 0
	})
}

// until waits until a condition holds. On Postgres a task of a killed host is free only when its
// lease has run out, and the next host may be killed, too.
func (c *crash) until(holds func() bool) {
	for end := time.Now().Add(4 * engine.Lease); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatal("the runs do not come to rest")
		}
	}
}

// takesTap are the kinds of steps of which a tap makes one.
var takesTap = []run.TraceKind{run.TraceWaitAnswered, run.TraceWaitIgnored, run.TraceWaitRestarted, run.TraceWaitRefused}

// verify compares the stored data with what the phones and the web service saw. It returns the
// histories of the runs.
func (c *crash) verify() map[string][]engine.Step {
	histories := c.histories()
	shown := map[string][]string{} // ids by text
	for _, p := range c.phones {
		for _, m := range p.Inbox() {
			shown[m.Text] = append(shown[m.Text], m.ID)
		}
	}
	keys, ends := map[string]bool{}, map[string]int{}
	slow := 0
	for n, r := range c.runs {
		h := &history{n: n, asked: r, steps: histories[r.id], visits: map[int]*visit{}, hits: c.web.asked(n), slept: c.more != nil, blind: c.faults.blind}
		end := h.check()
		if ends[end]++; strings.HasPrefix(end, tooSlow) {
			if slow++; slow > max(3, len(c.runs)/1000) {
				h.wrong("tapped in time, and the clock won, for the %dth time", slow)
			}
		}
		for _, v := range h.visits {
			if v.node == "pay" {
				continue
			}
			keys[crashInstance(n%c.instances)+"/"+engine.RunKeys+run.Key(r.id, v.node, v.n)] = true
			text := fmt.Sprintf("%s %d", v.node, n)
			if ids := shown[text]; len(ids) != 1 || ids[0] != v.message {
				h.wrong("%s was sent as %q; the phone shows %q", v.node, v.message, ids)
			}
			delete(shown, text)
		}
		if len(h.faults) > 0 {
			c.t.Errorf("run %d %s, %+v:\n%s\n%s", n, r.id, r, strings.Join(h.faults, "\n"), h)
		}
	}
	if len(shown) > 0 {
		c.t.Errorf("phones show what no run has sent: %v", shown)
	}
	if got := c.ledger(); !maps.Equal(got, keys) {
		c.t.Errorf("the node was asked with %d keys, want the %d of the visits", len(got), len(keys))
	}
	c.t.Logf("ends: %v", ends)
	return histories
}

// histories reads the steps of all runs from the database of a host that has stopped.
func (c *crash) histories() map[string][]engine.Step {
	opt := sqllog.Options{Dir: c.host.data}
	if c.base != nil {
		opt.Postgres = c.base.url("runs")
	}
	log, err := sqllog.Open(c.t.Context(), opt)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close() //nolint:errcheck // it was only read
	counts, err := log.Counts(c.t.Context())
	if err != nil || counts.Runs != int64(len(c.runs)) {
		c.t.Errorf("%d runs are stored (%v), %d were started", counts.Runs, err, len(c.runs))
	}
	out := map[string][]engine.Step{}
	for _, r := range c.runs {
		steps, err := log.Steps(c.t.Context(), r.id, 0)
		if err != nil {
			c.t.Fatal(err)
		}
		for i := range steps {
			steps[i].Data = nil
		}
		out[r.id] = steps
	}
	return out
}

// ledger returns the keys that the node was called with, each after its instance.
func (c *crash) ledger() map[string]bool {
	driver, dsn := "sqlite", filepath.Join(c.host.data, "nodes", "whatsapp-send-buttons", "store", "tapnode.db")
	if c.base != nil {
		driver, dsn = "pgx", c.base.url("node")
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was only read
	rows, err := db.QueryContext(c.t.Context(), `SELECT idem_key FROM tapnode_ledger`)
	if err != nil {
		c.t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // read to the end
	out := map[string]bool{}
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			c.t.Fatal(err)
		}
		out[key] = true
	}
	if err := rows.Err(); err != nil {
		c.t.Fatal(err)
	}
	return out
}

// history is the stored history of one run, under examination.
type history struct {
	slept bool      // hosts were stopped and woken, so their calls may have timed out
	blind []stretch // when a host was cut off from WhatsApp and could not know it
	n     int
	asked
	steps  []engine.Step
	hits   int // of the web service
	visits map[int]*visit
	faults []string
}

// visit is one visit of a node, as its steps describe it.
type visit struct {
	n          int
	node, code string
	attempt    int
	done       bool
	message    string
	settled    string // the port by which its wait first ended
	ignored    int
	armed      time.Time
}

func (h *history) wrong(format string, args ...any) {
	h.faults = append(h.faults, fmt.Sprintf(format, args...))
}

func (h *history) String() string {
	var out strings.Builder
	for _, s := range h.steps {
		fmt.Fprintf(&out, "%s %-15s %-7s visit %d attempt %d %s %s %s\n", s.Time.Format("15:04:05.000"), s.Kind, s.Node, s.Visit, s.Attempt, s.Port, s.Code, s.Message)
	}
	return out.String()
}

// check finds everything that is wrong, and returns what ended the run.
func (h *history) check() string {
	counts := map[run.TraceKind]int{}
	var path []string
	status := ""
	for _, s := range h.steps {
		counts[s.Kind]++
		v := h.visits[s.Visit]
		if s.Visit > 0 && v == nil {
			v = &visit{n: s.Visit, node: s.Node}
			h.visits[s.Visit] = v
			path = append(path, s.Node)
			if s.Visit != len(path) || s.Kind != run.TraceNodeStarted {
				h.wrong("visit %d is entered by %s as number %d", s.Visit, s.Kind, len(path))
			}
		}
		if v != nil && v.node != s.Node {
			h.wrong("visit %d is of %s and of %s", s.Visit, v.node, s.Node)
		}
		switch s.Kind {
		case run.TraceRunFinished:
			status = s.Code
		case run.TraceNodeStarted:
			if v.attempt++; s.Attempt != v.attempt || v.done {
				h.wrong("%s: attempt %d begins after %d, done %v", s.Node, s.Attempt, v.attempt-1, v.done)
			}
		case run.TraceNodeSucceeded, run.TraceNodeFailed:
			if v.done || s.Attempt != v.attempt {
				h.wrong("%s: a second outcome, %s of attempt %d", s.Node, s.Kind, s.Attempt)
			}
			v.done, v.code = true, s.Code
			if s.MessageID != "" {
				v.message = s.MessageID
			}
		case run.TraceWaitArmed:
			v.armed = s.Time
		case run.TraceWaitAnswered, run.TraceWaitTimeout:
			if v.settled != "" {
				h.wrong("the wait ended twice, by %s and %s", v.settled, s.Port)
			}
			v.settled = s.Port
			if s.MessageID != "" && v.message == "" { // answered before the outcome of the send
				v.message = s.MessageID
			}
		case run.TraceWaitRestarted:
			h.wrong("a tap is followed by %s after %s, though the flow ignores late ones", s.Port, v.settled)
		case run.TraceWaitIgnored:
			v.ignored++
		}
	}
	if counts[run.TraceRunStarted] != 1 || counts[run.TraceRunFinished] != 1 || status != string(run.StatusSucceeded) {
		h.wrong("it has started %d times, finished %d times, and is %q", counts[run.TraceRunStarted], counts[run.TraceRunFinished], status)
	}
	menu := h.visits[1]
	if menu == nil || menu.node != "menu" {
		h.wrong("it has not begun with the menu")
		return "wrong"
	}
	if counts[run.TraceWaitRefused] > 0 {
		h.wrong("a tap was refused")
	}
	return h.decided(menu, path) + ", " + path[len(path)-1]
}

// decided returns what decided the run, and checks that this is right by the phone's time and that
// the run has taken the path from there.
//
// A tap has the time that WhatsApp gave it, in whole seconds, so the test knows only that it is one
// of about two seconds. If all of them are before the deadline, the tap must have won, unless it
// was tooSlow. If none is, the timeout must have won, unless the tap came while the wait was still
// open, because the host had been away. In between either may have won, but not both.
func (h *history) decided(menu *visit, path []string) string {
	want := []string{"menu"}
	tapped := func() {
		if h.button == "yes" {
			want = append(want, "answer")
			return
		}
		want = append(want, "pay")
		pay := h.visits[len(want)]
		switch {
		case pay == nil || pay.node != "pay":
		case h.hits > 1:
			h.wrong("the web service was asked %d times", h.hits)
		case pay.code == "":
			want = append(want, "answer")
			if h.hits != 1 {
				h.wrong("the call has succeeded and the web service knows nothing of it")
			}
		default:
			want = append(want, "lost")
			if pay.code != "interrupted" && (!h.slept || pay.code != "timeout") {
				h.wrong("the call failed with %s", pay.code)
			}
		}
	}
	end, port := "", "reply:"+h.button
	switch {
	case menu.settled == port && menu.ignored == 0:
		end = "tap"
		tapped()
	case menu.settled == flow.PortTimeout && menu.ignored == 0 && h.button == "":
		end = "silence"
		want = append(want, "silent")
	case menu.settled == flow.PortTimeout && menu.ignored == 1:
		end = "clock"
		want = append(want, "silent")
	default:
		h.wrong("the menu was left by %q, %d taps ignored", menu.settled, menu.ignored)
	}
	if !slices.Equal(path, want) {
		h.wrong("it went %v, want %v", path, want)
	}
	if h.hits > 0 && !slices.Contains(path, "pay") {
		h.wrong("the web service was asked and the run has not come there")
	}
	if h.button != "" && !menu.armed.IsZero() {
		end = h.timed(menu, end)
	}
	return end
}

// tooSlow is a tap in time that took more than a second too long, as on an overloaded machine. One
// run in a thousand may have one, and three in any case: beside two dozen other busy processes
// there were two in 300.
const tooSlow = "clock, though tapped in time"

// timed checks an end against the time of the tap.
func (h *history) timed(menu *visit, end string) string {
	due := menu.armed.Add(crashTimeout + time.Second - 1).Truncate(time.Second) // as the engine rounds it
	first, last := h.from.Truncate(time.Second), h.to.Truncate(time.Second)
	switch {
	case last.Before(due) && end == "clock" && slices.ContainsFunc(h.blind, func(s stretch) bool { return s.meets(h.from, due) }):
		return "clock, WhatsApp being cut off"
	case last.Before(due) && end == "clock":
		return tooSlow
	case !first.Before(due) && end == "tap":
		return "tap while the wait still stood"
	}
	return end
}
