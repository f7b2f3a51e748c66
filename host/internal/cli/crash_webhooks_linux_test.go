package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/sim"
)

// heardFlow starts a run for every text.
const heardFlow = `
apiVersion: flow/v1
kind: Flow
metadata: {id: heard}
triggers:
  - {id: wrote, type: whatsapp.messageReceived@1, to: log}
nodes:
  - {id: log, type: log@1, with: {message: heard}}
`

// frail is a receiver that fails 30 % of its calls, is slow, and is restarted now and then. It
// fails no event by chance more than four times: the pause after the tenth failure is longer than
// any test waits.
type frail struct {
	address string
	mu      sync.Mutex
	server  *http.Server
	texts   map[string]map[string]bool // ids by text
	runs    map[string]map[string]bool // types by run
	sent    map[string]map[string]bool // ids by message
	order   map[string][]string        // texts by instance and phone, in the order of their first arrival
	told    map[string]map[string]bool // ids by type and subject
	chance  map[string]int             // failures by id
	failed  int
}

func startFrail(t *testing.T) *frail {
	t.Helper()
	f := &frail{address: "127.0.0.1:0", texts: map[string]map[string]bool{}, sent: map[string]map[string]bool{}, runs: map[string]map[string]bool{}, order: map[string][]string{},
		told: map[string]map[string]bool{}, chance: map[string]int{}}
	f.start(t)
	t.Cleanup(f.stop)
	return f
}

func (f *frail) start(t *testing.T) {
	var l net.Listener
	var err error
	for end := time.Now().Add(10 * time.Second); l == nil && time.Now().Before(end); { // its port may be busy for a moment
		var lc net.ListenConfig
		if l, err = lc.Listen(t.Context(), "tcp", f.address); err != nil {
			time.Sleep(10 * time.Millisecond)
		}
	}
	if err != nil {
		t.Error(err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.address, f.server = l.Addr().String(), &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	server := f.server
	go func() { _ = server.Serve(l) }() // until stop
}

// stop stops the receiver and cuts its calls.
func (f *frail) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.server.Close()
}

func (f *frail) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	var ev struct {
		ID, Type, Subject string
		Data              struct {
			Text      string
			MessageID string
			Sender    struct{ JID string }
		}
	}
	if err == nil {
		err = json.Unmarshal(raw, &ev)
	}
	time.Sleep(time.Duration(rand.Int64N(int64(20 * time.Millisecond))))
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil || f.chance[ev.ID] < 4 && rand.IntN(10) < 3 {
		f.chance[ev.ID]++
		f.failed++
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if strings.HasPrefix(ev.Type, "flow.run.") {
		note(f.told, ev.Type+" "+ev.Subject, ev.ID)
		note(f.runs, ev.Subject, ev.Type)
		return
	}
	if ev.Type == "whatsapp.message.sent.v1" {
		note(f.sent, ev.Data.MessageID, ev.ID)
		return
	}
	if ev.Type == "whatsapp.button.clicked.v1" {
		note(f.told, ev.Type+" "+ev.Data.MessageID, ev.ID)
		return
	}
	if f.texts[ev.Data.Text] == nil {
		phone := ev.Subject + " " + ev.Data.Sender.JID
		f.order[phone] = append(f.order[phone], ev.Data.Text)
	}
	note(f.texts, ev.Data.Text, ev.ID)
}

func note(m map[string]map[string]bool, key, value string) {
	if m[key] == nil {
		m[key] = map[string]bool{}
	}
	m[key][value] = true
}

// TestCrashWebhooks: customers write, and each text starts a run, while the host is killed with
// SIGKILL three times and the receiver of its webhook fails 30 % of the calls, is slow and is
// restarted. In the end the receiver has every text under one id, the texts of a customer in their
// order, and the start and end of every run; and the host has logged no number and no secret.
func TestCrashWebhooks(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		crashWebhooks(t, nil)
	})
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		crashWebhooks(t, startMortalPostgres(t))
	})
}

func crashWebhooks(t *testing.T, base *mortalPostgres) {
	texts, kills := sized("TAPNODE_CRASH_TEXTS", 80), 3
	world, host := startMortalWorld(t, base, heardFlow, "--listen", "127.0.0.1:0")
	f := startFrail(t)
	var made struct{ Secret string }
	body := fmt.Appendf(nil, `{"url":"http://%s/in?key=of-the-receiver","events":["whatsapp.message.received.v1","flow.run.started.v1","flow.run.ended.v1"]}`, f.address)
	if err := host.control.get(t.Context(), http.MethodPost, v1("webhooks"), nil, body, &made); err != nil {
		t.Fatal(err)
	}

	var all sync.WaitGroup
	killed := make(chan struct{})
	all.Go(func() {
		defer close(killed)
		for range kills {
			time.Sleep(time.Second + time.Duration(rand.Int64N(int64(2*time.Second)))) // a kill needs no precision
			host.kill()
		}
	})
	all.Go(func() {
		for gone := false; !gone; {
			select {
			case <-killed:
				gone = true
			case <-time.After(time.Duration(rand.Int64N(int64(2 * time.Second)))):
			}
			f.stop()
			time.Sleep(200 * time.Millisecond)
			f.start(t)
		}
	})
	for p := range 8 {
		if _, err := world.Phone(t.Context(), crashNumber(p)); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for n := p; n < texts; n += 8 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				if err := world.Write(ctx, crashNumber(p), crashInstance(n%crashInstances), fmt.Sprintf("text %d %04d", p, n)); err != nil {
					t.Error(err)
				}
				cancel()
				if n < texts*3/4 { // the rest comes when everything works again
					time.Sleep(time.Duration(rand.Int64N(int64(400 * time.Millisecond))))
				}
			}
		})
	}
	all.Wait()
	eventually(t, "the receiver has everything", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		whole := 0
		for _, types := range f.runs {
			if len(types) == 2 {
				whole++
			}
		}
		return len(f.texts) >= texts && whole >= texts
	})
	host.stop(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.texts) != texts || len(f.runs) != texts {
		t.Errorf("%d texts and %d runs were told, want %d of each", len(f.texts), len(f.runs), texts)
	}
	for text, ids := range f.texts {
		if len(ids) != 1 {
			t.Errorf("%q was told under %d ids: %v", text, len(ids), slices.Collect(maps.Keys(ids)))
		}
	}
	for phone, came := range f.order {
		if !slices.IsSorted(came) {
			t.Errorf("of %s came %v", phone, came)
		}
	}
	logged, err := os.ReadFile(host.said)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"55119777", made.Secret, "of-the-receiver"} {
		if strings.Contains(string(logged), secret) {
			t.Errorf("%q was logged", secret)
		}
	}
	t.Logf("%d texts, %d lives of the host, %d calls failed", texts, host.lives.Load(), f.failed)
}

// startMortalWorld starts a simulated WhatsApp with paired instances, and a mortalHost on them that
// serves a flow. With base the runs and the node's state are in Postgres.
func startMortalWorld(t *testing.T, base *mortalPostgres, source string, args ...string) (*sim.Simulation, *mortalHost) {
	t.Helper()
	world, err := sim.Start(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Error(err)
		}
	})
	dir := shortDir(t)
	node := world.Settings()
	if base != nil {
		if node, err = merge(node, fmt.Appendf(nil, `{"store":{"dsn":%q}}`, base.url("node"))); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--database", base.url("runs"))
	}
	data, settings, flow := filepath.Join(dir, "data"), filepath.Join(dir, "settings.json"), filepath.Join(dir, "flow.yaml")
	var instances []string
	for i := range crashInstances {
		instances = append(instances, crashInstance(i))
	}
	pairAll(t, world, data, node, slog.New(slog.DiscardHandler), instances...)
	raw, err := json.Marshal(map[string]json.RawMessage{"whatsapp-send-buttons": node})
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{settings: raw, flow: []byte(source)} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	host := startMortal(t, data, append([]string{"serve", "-v", "--data", data, "--settings", settings, "--allow-private", flow}, args...)...)
	eventually(t, "the host serves", func() bool { return host.control.get(t.Context(), http.MethodGet, "/readyz", nil, nil, nil) == nil })
	return world, host
}

// eventually waits until a condition holds that depends on other processes.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: it never came to that", what)
		}
	}
}
