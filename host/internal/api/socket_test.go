package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// tell puts an event of an instance into the outbox.
func (f *fixture) tell(t *testing.T, instance, id string) {
	t.Helper()
	ev := engine.Outgoing{ID: id, Type: "demo.event.v1", Instance: instance, Time: time.Now(), Data: json.RawMessage(`{"a":1}`)}
	if err := f.outbox.Tell(t.Context(), ev)(); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) dial(t *testing.T, path string, opt *websocket.DialOptions) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, strings.Replace(f.URL(), "http", "ws", 1)+path, opt)
	if err == nil {
		t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return conn, res, err
}

// socket opens one that must open.
func (f *fixture) socketAt(t *testing.T, path string, opt *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	conn, res, err := f.dial(t, path, opt)
	if err != nil {
		t.Fatalf("%s: %v (%+v)", path, err, res)
	}
	return conn
}

func TestSocketDeliversOnlyItsInstance(t *testing.T) {
	f := start(t, nil)
	shop := f.socketAt(t, "/ws/shop?token="+f.instance, nil)
	f.tell(t, "other", "1")
	f.tell(t, "shop", "2")
	_, raw, err := shop.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"event":"demo.event.v1","id":"2","data":{"a":1},"type":"demo.event.v1","detail":{"a":1},"instanceData":{"instance":"shop"},"sequence":"`
	if !strings.HasPrefix(string(raw), want) {
		t.Errorf("got %s, want %s…", raw, want)
	}
	if bytes.Contains(raw, []byte(f.instance)) {
		t.Error("the token is in the event")
	}
	late := f.socketAt(t, "/ws/shop?after=0&token="+f.instance, nil)
	if _, again, err := late.Read(t.Context()); err != nil || !bytes.Equal(again, raw) {
		t.Errorf("behind a sequence: %s, %v", again, err)
	}
	if _, res, err := f.dial(t, "/ws/other?token="+f.instance, nil); err == nil || res.StatusCode != 403 {
		t.Errorf("foreign instance: %v %+v", err, res)
	}
}

// Who may open a socket, and where a token may stand.
func TestSocketsAreRefused(t *testing.T) {
	f := start(t, func(o *Options) { o.Origins = []string{"https://crm.example"} })
	with := func(name, value string) *websocket.DialOptions {
		return &websocket.DialOptions{HTTPHeader: http.Header{"Token": {f.account}, name: {value}}}
	}
	sub := func(names ...string) *websocket.DialOptions { return &websocket.DialOptions{Subprotocols: names} }
	for _, c := range []struct {
		name, path string
		opt        *websocket.DialOptions
		status     int
	}{
		{"configured origin", "/v1/events", with("Origin", "https://crm.example"), 101},
		{"no page", "/v1/events", with("X-None", ""), 101},
		{"foreign origin", "/v1/events", with("Origin", "https://evil.example"), 403},
		{"foreign origin of the seed's socket", "/ws/shop", with("Origin", "https://evil.example"), 403},
		{"the server's own pages", "/ws/shop", with("Origin", f.URL()), 101},
		{"no origin to speak of", "/v1/events", with("Origin", "null"), 403},
		{"the name of another scheme", "/v1/events", with("Origin", "http://crm.example"), 403},
		{"a longer name", "/v1/events", with("Origin", "https://crm.example.evil.example"), 403},
		{"token as a subprotocol", "/v1/events", sub("tapnode.events.v1", "bearer."+f.account), 101},
		{"token as a subprotocol of the seed's socket", "/ws/shop", sub("bearer." + f.instance), 101},
		{"wrong token as a subprotocol", "/v1/events", sub("tapnode.events.v1", "bearer.x"), 401},
		{"no token", "/v1/events", sub("tapnode.events.v1"), 401},
		{"token in the URL", "/v1/events?token=" + f.account, nil, 401},
		{"no sequence", "/v1/events?after=x", with("X-None", ""), 400},
		{"no sequence of the seed's socket", "/ws/shop?after=-1", with("X-None", ""), 400},
		{"no event", "/v1/events?type=nothing", with("X-None", ""), 400},
		{"the seed's name in the other shape", "/v1/events?type=nothing&shape=seed", with("X-None", ""), 400},
		{"unknown parameter", "/v1/events?colour=red", with("X-None", ""), 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, res, err := f.dial(t, c.path, c.opt)
			if res == nil || res.StatusCode != c.status {
				t.Errorf("got %+v, %v; want %d", res, err, c.status)
			}
			if err == nil && strings.Contains(res.Header.Get("Sec-WebSocket-Protocol"), "bearer") {
				t.Error("the token comes back")
			}
		})
	}
}
