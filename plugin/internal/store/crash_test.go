package store_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/store"

	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"github.com/tapnode/tapnode/plugin/internal/store/session"
)

const (
	crashDir     = "TAPNODE_TEST_CRASH_DIR"
	crashWorkers = 4
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		crashWriter(dir, os.Getenv("TAPNODE_TEST_CRASH_ROUND"))
		return
	}
	os.Exit(m.Run())
}

// crashWriter writes from several goroutines until it is killed, and reports on stdout what the
// store has confirmed.
func crashWriter(dir, round string) {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Options{Dir: dir, Alone: true})
	if err != nil {
		fmt.Println("fail", err)
		return
	}
	var mu sync.Mutex
	say := func(what string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(append([]any{what}, args...)...)
	}
	for worker := range crashWorkers {
		d, err := s.Devices.Device(ctx, crashJID(worker))
		if err != nil {
			say("fail", err)
			return
		}
		go func() {
			click := func() error { return nil }
			for n := 0; ; n++ {
				later, err := crashSend(ctx, s, d, fmt.Sprintf("%s-%d-%d", round, worker, n), say)
				if err == nil {
					err = click() // the click before, which is being synced during this send
				}
				if click = later; err != nil {
					say("fail", err)
					return
				}
			}
		}()
	}
	select {}
}

// crashSend makes one send and one click on it, whose message is decrypted. click waits for the
// click to be stored.
func crashSend(ctx context.Context, s *store.Store, d *wastore.Device, key string, say func(string, ...any)) (click func() error, err error) {
	c, err := s.Ledger.Begin(ctx, operation, "shop", key, "f")
	if err != nil {
		return nil, err
	}
	defer c.Release()
	menu := &menus.Menu{Buttons: []menus.Button{{ID: "yes"}}}
	s.Ledger.Intend(c, ledger.Plan{Chat: ada, Message: []byte(key), Menu: menu})
	sending := session.WithFanout(ctx, everyDevice{}, &session.Rider{Write: c.Store, About: c.About()})
	if err := d.Sessions.PutManySessions(sending, map[string][]byte{"a": []byte(key), "b": []byte(key)}); err != nil {
		return nil, err
	}
	say("intended", key)
	say("ratchet", d.ID, key)
	if err := s.Ledger.Conclude(ctx, c, ledger.Outcome{State: ledger.Sent, JSON: []byte(key)}); err != nil {
		return nil, err
	}
	say("settled", key)
	if err := receive(ctx, d, "c", hashOf(key), key); err != nil {
		return nil, err
	}
	_, wait := beginClick(ctx, s, session.Decrypted(d), outbox.Event{ID: key, Type: clicked, Instance: "shop"}, menus.Press{MessageID: c.Entry.MessageID},
		func(menus.Count) ([]byte, error) { return []byte(key), nil })
	return func() error {
		if err := wait(); err != nil {
			return err
		}
		say("clicked", key)
		return nil
	}, nil
}

// everyDevice accepts every set of devices.
type everyDevice struct{}

func (everyDevice) Sessions(context.Context, map[string][]byte) error { return nil }
func (everyDevice) Encrypted(map[string][]byte)                       {}

func crashJID(worker int) types.JID { return types.NewADJID(fmt.Sprintf("55119%08d", worker), 0, 1) }

// What the store has confirmed survives kill -9, and nothing is stored by half.
func TestKilledWriterLosesNothingItConfirmed(t *testing.T) {
	dir := t.TempDir()
	crashDevices(t, dir)
	said := newConfirmed()
	for round := range 5 {
		killedWriter(t, dir, round, 20+rand.IntN(300), said)
	}
	s := must[*store.Store](t)(store.Open(t.Context(), store.Options{Dir: dir, Alone: true}))
	defer s.Close()
	said.hold(t, s, false)
}

// crashDevices pairs the devices of the writer's workers.
func crashDevices(t *testing.T, dir string) {
	t.Helper()
	s := must[*store.Store](t)(store.Open(t.Context(), store.Options{Dir: dir, Alone: true}))
	for worker := range crashWorkers {
		pair(t, s.Devices.NewDevice(), worker)
	}
	check(t, s.Close())
}

// confirmed holds what a writer has reported, by the word for it and the key that it concerns.
type confirmed map[string]map[string]string

func newConfirmed() confirmed {
	return confirmed{"intended": {}, "ratchet": {}, "settled": {}, "clicked": {}}
}

// note records a line of the writer's output.
func (c confirmed) note(t *testing.T, line string) {
	t.Helper()
	what, rest, _ := strings.Cut(line, " ")
	key, value, _ := strings.Cut(rest, " ")
	if c[what] == nil {
		t.Fatalf("the writer: %s", line)
	}
	c[what][key] = value
}

// hold checks that a store has what was confirmed. A power cut may lose an outcome: the send is an
// intent again.
func (c confirmed) hold(t *testing.T, s *store.Store, powerCut bool) {
	t.Helper()
	ctx := t.Context()
	for key := range c["intended"] {
		e := must[ledger.Entry](t)(s.Ledger.Lookup(ctx, operation, "shop", key))
		_, settled := c["settled"][key]
		if known := e.State == ledger.Sent; known && string(e.Outcome) != key || settled && !known && (!powerCut || e.State != ledger.Intent) {
			t.Errorf("%s was settled (%v) and is %v %q", key, settled, e.State, e.Outcome)
		}
		must[menus.Menu](t)(s.Menus.Get(ctx, "shop", e.MessageID))
	}
	for worker := range crashWorkers {
		d := must[*wastore.Device](t)(s.Devices.Device(ctx, crashJID(worker)))
		got := must[map[string][]byte](t)(d.Sessions.GetManySessions(ctx, []string{"a", "b"}))
		if string(got["a"]) != string(got["b"]) {
			t.Errorf("half a send's ratchets: %s and %s", got["a"], got["b"])
		}
		if last := c["ratchet"][d.ID.String()]; step(t, string(got["a"])) < step(t, last) {
			t.Errorf("the ratchet is at %s after %s was confirmed", got["a"], last)
		}
	}
	stored := map[string]bool{}
	for cursor := []byte(nil); ; {
		events := must[[]outbox.Event](t)(s.Outbox.Read(ctx, cursor, outbox.Filter{}, 1000))
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			stored[e.ID], cursor = true, e.Cursor
			handled(t, s, e.ID)
			if m := must[menus.Menu](t)(s.Menus.Get(ctx, "shop", must[ledger.Entry](t)(s.Ledger.Lookup(ctx, operation, "shop", e.ID)).MessageID)); m.Clicks != 1 {
				t.Errorf("%s has an event and %d clicks", e.ID, m.Clicks)
			}
		}
	}
	for worker := range crashWorkers {
		d := must[*wastore.Device](t)(s.Devices.Device(ctx, crashJID(worker)))
		at := string(must[[]byte](t)(d.Sessions.GetSession(ctx, "c")))
		for key := range stored {
			if of(t, key) == worker && step(t, key) > step(t, at) {
				t.Errorf("the ratchet of the messages is at %s, and the click of %s is stored", at, key)
			}
		}
		if at != "" && !stored[at] {
			t.Errorf("the message of %s was decrypted, and its click is not stored", at)
		}
	}
	for key := range c["clicked"] {
		if !stored[key] {
			t.Errorf("the click on %s was confirmed and is gone", key)
		}
	}
}

// startWriter runs a writer on a directory.
func startWriter(t *testing.T, dir string, round int) (cmd *exec.Cmd, says *os.File) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir, "TAPNODE_TEST_CRASH_ROUND="+strconv.Itoa(round))
	cmd.Stderr = os.Stderr
	says, out, err := os.Pipe()
	check(t, err)
	cmd.Stdout = out
	check(t, cmd.Start())
	check(t, out.Close())
	t.Cleanup(func() { _ = says.Close() })
	return cmd, says
}

// killedWriter runs a writer, notes the given number of confirmations and kills it.
func killedWriter(t *testing.T, dir string, round, lines int, said confirmed) {
	t.Helper()
	cmd, says := startWriter(t, dir, round)
	for scan := bufio.NewScanner(says); lines > 0 && scan.Scan(); lines-- {
		said.note(t, scan.Text())
	}
	check(t, cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
	if lines > 0 {
		t.Fatalf("the writer ended by itself, %d lines early", lines)
	}
}

// handled checks that the message of a click is known as handled.
func handled(t *testing.T, s *store.Store, key string) {
	t.Helper()
	d := must[*wastore.Device](t)(s.Devices.Device(t.Context(), crashJID(of(t, key))))
	if b := must[*wastore.BufferedEvent](t)(d.EventBuffer.GetBufferedEvent(t.Context(), hashOf(key))); b == nil || b.Plaintext != nil {
		t.Errorf("the click of %s is stored, and its message has no mark: %v", key, b)
	}
}

// of is the worker of a key.
func of(t *testing.T, key string) (worker int) {
	t.Helper()
	var round, n int
	must[int](t)(fmt.Sscanf(key, "%d-%d-%d", &round, &worker, &n))
	return worker
}

// step orders the keys of one worker: round, then number.
func step(t *testing.T, key string) int {
	t.Helper()
	var round, worker, n int
	if _, err := fmt.Sscanf(key, "%d-%d-%d", &round, &worker, &n); err != nil {
		return -1 // nothing was confirmed
	}
	return round*1_000_000 + n
}
