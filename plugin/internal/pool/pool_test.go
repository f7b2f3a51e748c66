package pool

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/wasim"
)

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		evt   any
		state State
		code  string
		retry time.Duration
	}{
		{&events.LoggedOut{}, LoggedOut, "logged_out", 0},
		{&events.StreamReplaced{}, Replaced, "replaced", 0},
		{&events.TemporaryBan{Code: 101, Expire: time.Hour}, Banned, "banned", time.Hour},
		{&events.TemporaryBan{Code: 104}, Banned, "banned", time.Minute}, // without an end: not retried at once
		{&events.ClientOutdated{}, Disconnected, "client_outdated", 0},
		{&events.ConnectFailure{Reason: 400}, Connecting, "connect_failure", slowRetry},
		{&events.ConnectFailure{Reason: 409}, Disconnected, "client_outdated", 0},
		{&events.ConnectFailure{Reason: 415}, Connecting, "connect_failure", slowRetry},
		{&events.ConnectFailure{Reason: 418}, Disconnected, "connect_failure", 0},
		{&events.ConnectFailure{Reason: 429}, Connecting, "slow_down", slowRetry},
		{&events.ConnectFailure{Reason: 501}, Connecting, "connect_failure", slowRetry},
		{&events.CATRefreshError{}, Disconnected, "connect_failure", 0},
	} {
		t.Run(fmt.Sprintf("%T", c.evt), func(t *testing.T) {
			v := judge(c.evt)
			if v == nil || v.state != c.state || v.code != c.code || v.retry != c.retry || v.message == "" {
				t.Errorf("judge = %+v, want %s %s after %s and a message", v, c.state, c.code, c.retry)
			}
			if _, permanent := c.evt.(events.PermanentDisconnect); !permanent {
				t.Errorf("whatsmeow reconnects after a %T by itself", c.evt)
			}
		})
	}
	if v := judge(&events.StreamError{Code: "429"}); v == nil || v.code != codeSlow || !v.patient {
		t.Errorf("a stream that ends with 429 got the verdict %+v", v)
	}
	if v := judge(&events.StreamError{Code: "500"}); v != nil {
		t.Errorf("a stream that ends with 500 got the verdict %+v", v)
	}
	if v := judge(&events.Disconnected{}); v != nil {
		t.Errorf("a plain disconnection got the verdict %+v", v)
	}
}

func TestGrade(t *testing.T) {
	for _, c := range []struct {
		err         error
		code, query int
		unknown     bool
	}{
		{fmt.Errorf("%w 479", whatsmeow.ErrServerReturnedError), 479, 0, false},
		{fmt.Errorf("failed to get user info: %w", &whatsmeow.IQError{Code: 429}), 0, 429, false},
		{fmt.Errorf("%w: %w", ErrNoDevice, &whatsmeow.IQError{Code: 503}), 0, 503, false},
		{whatsmeow.ErrNotConnected, 0, 0, false},
		{whatsmeow.ErrMessageTimedOut, 0, 0, true},
		{fmt.Errorf("send: %w", context.DeadlineExceeded), 0, 0, true},
		{&whatsmeow.DisconnectedError{Action: "message send"}, 0, 0, true},
		{errors.New("no LID found for 5511999999999@s.whatsapp.net from server"), 0, 0, false},
	} {
		e := Grade(c.err)
		if e.Code != c.code || e.Query != c.query || e.Unknown != c.unknown || !errors.Is(e, c.err) {
			t.Errorf("Grade(%v) = %+v", c.err, e)
		}
		if strings.Contains(e.Error(), "5511999999999") {
			t.Errorf("%q names a number", e)
		}
	}
}

func TestParseServer(t *testing.T) {
	key := strings.Repeat("ab", 32)
	s, err := ParseServer("http://127.0.0.1:4100", key)
	if err != nil || s.addr != "127.0.0.1:4100" || s.root[31] != 0xab {
		t.Fatalf("ParseServer = %+v, %v", s, err)
	}
	for _, c := range []struct{ url, key, want string }{
		{"http://192.0.2.1:4100", key, "loopback"},
		{"http://127.0.0.1", key, "loopback"},
		{"http://example.com:80", key, "loopback"},
		{"https://127.0.0.1:4100", key, "scheme"},
		{"http://127.0.0.1:4100", key[2:], "32 bytes"},
		{"http://127.0.0.1:4100", "zz" + key[2:], "32 bytes"},
		{"http://[", key, "server.url"},
	} {
		if _, err := ParseServer(c.url, c.key); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ParseServer(%q) = %v, want an error with %q", c.url, err, c.want)
		}
	}
}

// bare returns an instance without a database, for tests that need none.
func bare(queue int) *Instance {
	ctx, cancel := context.WithCancel(context.Background())
	return &Instance{
		pool: &Pool{opts: Options{Limits: Limits{Queue: queue}.withDefaults()}},
		ctx:  ctx, cancel: cancel, turn: make(chan struct{}, 1),
	}
}

func TestSendsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := bare(10)
		first, err := i.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var order []int
		for n := range 5 {
			go func() {
				release, err := i.take(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, n)
				mu.Unlock()
				release()
			}()
			synctest.Wait() // it is in the queue before the next one comes
		}
		first()
		synctest.Wait()
		if got := fmt.Sprint(order); got != "[0 1 2 3 4]" {
			t.Errorf("turns were taken in the order %s", got)
		}
		if i.line.Load() != 0 {
			t.Errorf("%d sends are still counted", i.line.Load())
		}
	})
}

func TestLineIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := bare(2)
		release, err := i.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		waited := make(chan error)
		go func() {
			_, err := i.take(ctx)
			waited <- err
		}()
		synctest.Wait()
		if _, err := i.take(ctx); !errors.Is(err, ErrBusy) {
			t.Errorf("a third send = %v, want ErrBusy", err)
		}
		if err := <-waited; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the waiting send = %v, want its deadline", err)
		}
		release()
		i.cancel()
		if _, err := i.take(ctx); err == nil {
			t.Error("a send was let in after the end")
		}
	})
}

func FuzzRedact(f *testing.F) {
	for _, s := range []string{"to 5511999999999@s.whatsapp.net", "123456789012345:12@lid", "12:34:56", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := redact(s); longDigits.MatchString(got) {
			t.Errorf("redact(%q) = %q", s, got)
		}
	})
}

// TestDeadLineIsNoticed: the server receives nothing any more although the connection is still open.
// The missing answers to keep-alives show it.
func TestDeadLineIsNoticed(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	device := w.adopt(1)
	p := w.open(func(o *Options) { o.Limits.Silence = time.Second })
	i, err := p.Get("shop-001")
	must(t, err)
	w.until(i, "connected", in(Connected))
	logins := device.Logins()
	device.Deafen()
	w.until(i, "in trouble", trouble(codeKeepAlive))
	w.until(i, "connected again", func(s Status) bool { return s.State == Connected && s.Trouble == nil && device.Logins() > logins })
}
