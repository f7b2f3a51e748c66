package sdk_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/sdk"
)

func TestConfigure(t *testing.T) {
	tests := []struct {
		name     string
		settings string
		secrets  map[string][]byte
		want     string // code and pointer of the first violation
	}{
		{"missing", `{}`, nil, "required /name"},
		{"unknown member", `{"name":"x","zebra":1}`, nil, "unknown_member /zebra"},
		{"twice", `{"name":"x","name":"y"}`, nil, "duplicate_member /name"},
		{"secret in the open", `{"name":"x","token":"abcdefgh"}`, nil, "secret_in_settings /token"},
		{"secret too short", `{"name":"x"}`, map[string][]byte{"/token": []byte("abc")}, "min_length /token"},
		{"unknown secret", `{"name":"x"}`, map[string][]byte{"/name": []byte("abc")}, "unknown_secret /name"},
		{"author refuses", `{"name":"refused"}`, nil, "refused /name"},
		{"author fails", `{"name":"broken"}`, nil, "internal "},
		{"author panics", `{"name":"panic"}`, nil, "panic "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, c := serve(t)
			p := wantProblem(t, c.Configure(within(t), sdk.Setup{Settings: []byte(tt.settings), Secrets: tt.secrets, StateDir: t.TempDir()}))
			if got := p.Code + " " + p.Violations[0].Pointer; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			_, err := c.Execute(within(t), behave("nothing"), nil)
			wantCode(t, err, codes.FailedPrecondition)
			good := sdk.Setup{Settings: []byte(`{"name":"x"}`), Secrets: map[string][]byte{"/token": []byte("abcdefgh")}, StateDir: t.TempDir()}
			if err := c.Configure(within(t), good); err != nil {
				t.Fatalf("it cannot be repeated: %v", err)
			}
			if string(d.setup.Settings) != `{"name":"x","size":3}` || string(d.setup.Secrets["/token"]) != "abcdefgh" || d.setup.StateDir != good.StateDir {
				t.Errorf("the node got %s %s %s", d.setup.Settings, d.setup.Secrets, d.setup.StateDir)
			}
			wantCode(t, c.Configure(within(t), good), codes.FailedPrecondition)
		})
	}
}

func TestDrain(t *testing.T) {
	d, c := serveOpen(t)
	failed := make(chan error, 3)
	for _, what := range []string{"wait", "ignore"} {
		go func() {
			_, err := c.Execute(within(t), behave(what), nil)
			failed <- err
		}()
		<-d.started
	}
	cut, err := c.Drain(within(t), 0)
	if want := []string{"key-ignore", "key-wait"}; err != nil || !slices.Equal(cut, want) {
		t.Fatalf("cut %v, %v; want %v", cut, err, want)
	}
	for range 2 {
		p := wantProblem(t, <-failed)
		if p.Code != "cancelled" || p.Effect != sdk.EffectUnknown || p.Fault != sdk.FaultNode || !p.Retryable {
			t.Errorf("got %+v", p)
		}
	}
	_, err = c.Describe(within(t))
	wantCode(t, err, codes.Unavailable)
	_, err = c.Execute(within(t), behave("nothing"), nil)
	wantCode(t, err, codes.Unavailable)
	if again, err := c.Drain(within(t), 0); err != nil || !slices.Equal(again, cut) {
		t.Errorf("a repeated drain says %v, %v; want the answer of the first", again, err)
	}
	close(d.release)
}

func TestDrainWaits(t *testing.T) {
	d, c := serveOpen(t)
	result := make(chan error, 1)
	go func() {
		_, err := c.Execute(within(t), behave("wait"), nil)
		result <- err
	}()
	<-d.started
	drained := make(chan []string, 1)
	go func() {
		cut, _ := c.Drain(within(t), testTimeout)
		drained <- cut
	}()
	for { // until the drain has begun
		if _, err := c.Describe(within(t)); err != nil {
			break
		}
	}
	close(d.release)
	if cut := <-drained; len(cut) != 0 {
		t.Errorf("cut %v, but the call ended within the grace", cut)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestClose(t *testing.T) {
	d, c := serveOpen(t)
	for range 3 {
		if err := c.Close(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-d.closed: // closing the channel twice would have panicked
	default:
		t.Error("the node's Close was not called")
	}
	wantCode(t, c.Configure(within(t), sdk.Setup{Settings: []byte(`{"name":"x"}`), StateDir: t.TempDir()}), codes.Unavailable)
}

func TestWatchHealth(t *testing.T) {
	d := newDemo()
	n := d.node()
	n.Health.Set(sdk.Health{Subject: "shop", State: sdk.Degraded, Reason: "slow"})
	c := local(t, n)
	wantCode(t, c.WatchHealth(within(t), func(sdk.Health) {}), codes.FailedPrecondition)
	if err := c.Configure(within(t), sdk.Setup{Settings: []byte(`{"name":"x"}`), StateDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	seen, ended := make(chan sdk.Health), make(chan error, 1)
	go func() { ended <- c.WatchHealth(within(t), func(h sdk.Health) { seen <- h }) }()
	if h := <-seen; h.Subject != "" || h.State != sdk.Healthy {
		t.Errorf("first %+v, want the process", h)
	}
	if h := <-seen; h.Subject != "shop" || h.State != sdk.Degraded || h.Since.IsZero() {
		t.Errorf("then %+v, want the shop", h)
	}
	n.Health.Remove("shop")
	if h := <-seen; h.Subject != "shop" || !h.Removed {
		t.Errorf("then %+v, want the shop removed", h)
	}
	if err := c.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("after Close the watch ends with %v", err)
	}
}

// The node's own answer may be faster than the transport's; both say the same.
func TestExecuteDeadline(t *testing.T) {
	d, c := serveOpen(t)
	var err error
	for limit, begun := 50*time.Millisecond, false; !begun; limit *= 2 { // until the call reaches the node in time
		ctx, cancel := context.WithTimeout(within(t), limit)
		_, err = c.Execute(ctx, behave("wait"), nil)
		cancel()
		select {
		case <-d.started:
			begun = true
		default:
		}
	}
	if p, ok := errors.AsType[*sdk.Problem](err); ok {
		if p.Code != "deadline_exceeded" || p.HTTPStatus != 504 || p.Effect != sdk.EffectUnknown {
			t.Errorf("got %+v", p)
		}
		return
	}
	wantCode(t, err, codes.DeadlineExceeded)
}
