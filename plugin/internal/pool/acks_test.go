package pool

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store/session"
	"github.com/tapnode/tapnode/plugin/wasim"
)

// line is an instance that stores only the decrypted text of its messages.
type line struct {
	*world
	instance *Instance
	device   *wasim.Device
	ana      *wasim.Phone
	heard    chan string // texts that were handed over to the instance's owner

	mu     sync.Mutex
	refuse map[string]bool // texts that cannot be stored
	stored map[string]int
}

func newLine(t *testing.T) *line {
	l := &line{world: newWorld(t, wasim.Options{}), heard: make(chan string, 100), refuse: map[string]bool{}, stored: map[string]int{}}
	l.device = l.adopt(1)
	p := l.open(func(o *Options) { o.OnMessage = l.message })
	var err error
	l.instance, err = p.Get("shop-001")
	must(t, err)
	l.until(l.instance, "connected", in(Connected))
	l.ana, err = l.sim.NewPhone(l.ctx(), "5511988880001")
	must(t, err)
	l.say("hello") // uses up a key; the others only advance the ratchet
	l.hear("hello")
	l.settle()
	return l
}

func (l *line) message(ctx context.Context, _ *Instance, m *events.Message, from *session.Decryption) (func() error, error) {
	text := m.Message.GetConversation()
	if text == "" {
		return nil, nil
	}
	wait := from.Begin(func(along func(*sqldb.Tx) error) func() error {
		return l.db.DB.BeginSynced(ctx, "store the text", func(t *sqldb.Tx) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.refuse[text] {
				return errors.New("the disk is full")
			}
			return along(t)
		})
	})
	l.heard <- text
	return func() error {
		err := wait()
		l.mu.Lock()
		defer l.mu.Unlock()
		if err == nil {
			l.stored[text]++
		}
		return err
	}, nil
}

func (l *line) say(texts ...string) {
	l.t.Helper()
	for _, text := range texts {
		_, err := l.ana.SendText(l.ctx(), l.instance.Account().LID, text)
		must(l.t, err)
	}
}

func (l *line) hear(texts ...string) {
	l.t.Helper()
	for _, text := range texts {
		await(l.t, l.ctx(), l.heard, text)
	}
}

// settle waits until everything is acknowledged to WhatsApp.
func (l *line) settle() {
	l.t.Helper()
	for ctx := l.ctx(); l.device.Pending() > 0; time.Sleep(5 * time.Millisecond) { // polls a condition; the deadline decides
		if ctx.Err() != nil {
			l.t.Fatalf("%d messages were not acknowledged", l.device.Pending())
		}
	}
}

// stop keeps the database from writing until the function it returns is called.
func (l *line) stop() (release func()) {
	turn := make(chan struct{})
	done := l.db.DB.Begin(l.ctx(), "wait", func(*sqldb.Tx) error { <-turn; return nil })
	return func() {
		l.t.Helper()
		close(turn)
		must(l.t, done())
	}
}

func (l *line) once(texts ...string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	want := map[string]int{}
	for _, text := range append(texts, "hello") {
		want[text] = 1
	}
	if !maps.Equal(l.stored, want) {
		l.t.Errorf("stored %v, want %v", l.stored, want)
	}
}

// TestMessagesWaitForTheDiskTogether: while one message waits for the disk, the next are decrypted,
// and none is acknowledged before it is on disk.
func TestMessagesWaitForTheDiskTogether(t *testing.T) {
	l := newLine(t)
	release := l.stop()
	texts := []string{"a", "b", "c", "d"}
	l.say(texts...)
	l.hear(texts...)
	if n := l.device.Pending(); n < len(texts) { // stanzas that are not messages may wait behind them
		t.Errorf("%d stanzas wait for their acknowledgement, want at least the %d messages", n, len(texts))
	}
	l.once()
	release()
	l.settle()
	l.once(texts...)
}

// TestMessageThatCannotBeStoredIsAloneInThat: the messages that were decrypted after it are delivered
// again, too. On the next connection each is stored by itself, whatever becomes of the others.
func TestMessageThatCannotBeStoredIsAloneInThat(t *testing.T) {
	l := newLine(t)
	l.refuse["b"] = true
	release := l.stop()
	l.say("a", "b", "c")
	l.hear("a", "b", "c")
	release()
	l.hear("b", "c") // on the next connection
	for ctx := l.ctx(); l.device.Pending() != 1; time.Sleep(5 * time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatalf("%d messages are not acknowledged", l.device.Pending())
		}
	}
	l.once("a", "c")
	l.mu.Lock()
	l.refuse["b"] = false
	l.mu.Unlock()
	l.device.Drop()
	l.settle()
	l.once("a", "b", "c")
	l.say("d")
	l.hear("b", "d")
	l.settle()
	l.once("a", "b", "c", "d")
	if logins := l.device.Logins(); logins != 3 {
		t.Errorf("%d logins, want 3", logins)
	}
}

// TestLineEndsBeforeTheDisk: a message that is not on disk when the connection ends is not
// acknowledged on the next one until it is delivered again, and is then recognized.
func TestLineEndsBeforeTheDisk(t *testing.T) {
	l := newLine(t)
	release := l.stop()
	texts := []string{"a", "b", "c"}
	l.say(texts...)
	l.hear(texts...)
	l.device.Drop()
	release()
	l.settle()
	l.once(texts...)
	select {
	case text := <-l.heard:
		t.Errorf("%q was handed over again", text)
	default:
	}
}

// Many messages may wait for the disk at the same time if no other instance receives any, and few
// otherwise.
func TestRoomInCompany(t *testing.T) {
	for _, c := range []struct {
		alone bool
		room  int
	}{{true, unacknowledged}, {false, inCompany}} {
		a := newAcks(func() bool { return c.alone })
		disk := make(chan struct{})
		acknowledge := func(batch []arrival, done func(arrival)) {
			<-disk
			for _, m := range batch {
				done(m)
			}
		}
		for n := range c.room {
			if !a.add(t.Context(), arrival{}, acknowledge) {
				t.Errorf("alone %v: no room for message %d", c.alone, n+1)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if a.add(ctx, arrival{}, acknowledge) {
			t.Errorf("alone %v: room for more than %d", c.alone, c.room)
		}
		cancel()
		close(disk)
		if !a.add(t.Context(), arrival{}, acknowledge) {
			t.Errorf("alone %v: no room when the others are stored", c.alone)
		}
		a.close()
	}
}
