package v1

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/host/internal/feed"
	"github.com/tapnode/tapnode/schemas"
)

// telling is an API with an outbox.
type telling struct {
	*served
	log    *sqllog.Log
	places *feed.Places
}

func serveEvents(t *testing.T) telling {
	t.Helper()
	log, err := sqllog.Open(t.Context(), sqllog.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	tail := feed.NewTail(events.New(events.Options{DB: log.DB(), Told: log.Told, Secret: []byte("secret")}), slog.New(slog.DiscardHandler))
	tail.Start()
	t.Cleanup(func() {
		tail.Stop()
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	var places *feed.Places
	s := serveTest(t, func(o *Options) { o.Feed, places = tail, o.Places })
	t.Cleanup(places.End)
	return telling{s, log, places}
}

func (s telling) tell(t *testing.T, kind, instance string, n int) {
	t.Helper()
	ev := engine.Outgoing{ID: fmt.Sprintf("%s-%d", instance, n), Type: kind, Instance: instance, Time: time.Now(), Data: json.RawMessage(`{"n":1}`)}
	if err := s.log.Tell(t.Context(), ev)(); err != nil {
		t.Fatal(err)
	}
}

// sse opens a stream, and gives its next event.
func (s telling) sse(t *testing.T, path string, header ...string) (next func() (id, kind, data string)) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, h := range append([]string{"Caller", "ann", "Accept", "text/event-stream"}, header...) {
		if i%2 == 1 {
			req.Header.Set(append([]string{"Caller", "ann", "Accept", "text/event-stream"}, header...)[i-1], h)
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = res.Body.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(res.Status, res.Header)
	}
	lines := bufio.NewScanner(res.Body)
	return func() (id, kind, data string) {
		t.Helper()
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case name == "id":
				id = value
			case name == "event":
				kind = value
			case name == "data":
				data = value
			case lines.Text() == "" && data != "":
				return id, kind, data
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return "", "", ""
	}
}

// TestEventsAsAStream: server-sent events begin with where they begin, go on behind the last one that
// a reader has, and end with when to come back.
func TestEventsAsAStream(t *testing.T) {
	s := serveEvents(t)
	s.tell(t, "demo.event.v1", "shop", 1)
	next := s.sse(t, "/v1/events")
	first, kind, data := next()
	if kind != "message" || !strings.Contains(data, `"type":"stream.opened.v1"`) || !strings.Contains(data, `"after":"`+first+`"`) {
		t.Errorf("it begins with %s %s %s", first, kind, data)
	}
	s.tell(t, "demo.event.v1", "shop", 2)
	if id, kind, data := next(); kind != "message" || !strings.Contains(data, `"id":"shop-2"`) || !strings.Contains(data, `"sequence":"`+id+`"`) || !strings.Contains(data, `"specversion":"1.0"`) {
		t.Errorf("got %s %s %s", id, kind, data)
	}
	resumed := s.sse(t, "/v1/events?after=0&shape=seed", "Last-Event-ID", first)
	resumed()
	if _, _, data := resumed(); !strings.Contains(data, `"id":"shop-2"`) || !strings.Contains(data, `"instanceData":{"instance":"shop"}`) {
		t.Errorf("it goes on with %s", data)
	}
	s.places.End()
	if _, kind, data := next(); kind != "end" || !strings.Contains(data, `"code":"server_stops"`) || strings.Contains(data, `"retryAfter":0`) {
		t.Errorf("it ends with %s %s", kind, data)
	}
	if a := s.ask(t, "GET", "/v1/events", "", "Accept", "text/event-stream"); a.problem(t).Code != "too_many_streams" || a.header.Get("Retry-After") == "" {
		t.Errorf("after the end: %+v", a)
	}
}

// TestEventsByThePage: pages follow each other without a gap, by filter, and only of what the token is for.
func TestEventsByThePage(t *testing.T) {
	s := serveEvents(t)
	var want []string
	for n := range 25 {
		s.tell(t, []string{"demo.event.v1", "other.event.v1"}[n%2], []string{"shop", "bar"}[n/2%2], n)
	}
	for n := 0; n < 25; n += 4 {
		want = append(want, fmt.Sprintf("shop-%d", n))
	}
	read := func(path string, header ...string) (ids []string) {
		t.Helper()
		for after, more := "0", true; more; {
			var page eventPage
			a := s.ask(t, "GET", path+"&limit=10&after="+after, "", header...)
			if err := json.Unmarshal([]byte(a.body), &page); err != nil || a.status != 200 {
				t.Fatal(a, err)
			}
			for _, raw := range page.Events {
				var ev events.CloudEvent
				if err := json.Unmarshal(raw, &ev); err != nil {
					t.Fatal(err)
				}
				ids = append(ids, ev.ID)
			}
			after, more = page.Next, page.More
		}
		return ids
	}
	if got := read("/v1/events?type=demo.event.v1&instance=shop"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := read("/v1/events?type=demo.event.v1", "Caller", "bob/shop"); !slices.Equal(got, want) {
		t.Errorf("a token of shop got %v, want %v", got, want)
	}
	if got := read("/v1/events?type=demo.event.v1,other.event.v1"); len(got) != 25 {
		t.Errorf("got %v", got)
	}
	if a := s.ask(t, "GET", "/v1/events?instance=bar", "", "Caller", "bob/shop"); a.problem(t).Status != 403 {
		t.Errorf("of another instance: %+v", a)
	}
}

// TestEventsAreMasked: only a token that may, and asks for it, sees numbers and texts, in either form
// and in every way to read.
func TestEventsAreMasked(t *testing.T) {
	s := serveEvents(t)
	var schema struct{ Examples []json.RawMessage }
	if err := json.Unmarshal(schemas.Read(schemas.MessageReceived), &schema); err != nil {
		t.Fatal(err)
	}
	ev := engine.Outgoing{ID: "said", Type: "whatsapp.message.received.v1", Instance: "shop", Time: time.Now(), Data: schema.Examples[0]}
	if err := s.log.Tell(t.Context(), ev)(); err != nil {
		t.Fatal(err)
	}
	const number, text = "5511999999999", "Can I change my order?"
	check := func(how, body string, shown bool) {
		t.Helper()
		if strings.Contains(body, number) != shown || strings.Contains(body, text) != shown || !strings.Contains(body, "3A21") {
			t.Errorf("%s: in clear is %v: %s", how, !shown, body)
		}
	}
	for _, shape := range []string{"cloudevents", "seed"} {
		path := "/v1/events?after=0&shape=" + shape
		check("a page as "+shape, s.ask(t, "GET", path, "").body, false)
		check("the same, asked for", s.ask(t, "GET", path+"&reveal=true", "", "Caller", "eve").body, true)
		check("the same, not asked for", s.ask(t, "GET", path, "", "Caller", "eve").body, false)
		if a := s.ask(t, "GET", path+"&reveal=true", ""); a.problem(t).Code != "not_revealed" {
			t.Errorf("without the right: %+v", a)
		}
		for query, shown := range map[string]bool{"": false, "&reveal=true": true} {
			next := s.sse(t, path+query, "Caller", "eve")
			next()
			_, _, data := next()
			check("a stream as "+shape+query, data, shown)
		}
	}
}

// TestEventsOverAWebSocket: the same over a socket, by the seed's names in its shape.
func TestEventsOverAWebSocket(t *testing.T) {
	s := serveEvents(t)
	conn, _, err := websocket.Dial(t.Context(), strings.Replace(s.URL, "http", "ws", 1)+"/v1/events?shape=seed&type=instance.state", &websocket.DialOptions{
		HTTPHeader: http.Header{"Caller": {"ann"}}, Subprotocols: []string{feed.Subprotocol}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	if conn.Subprotocol() != feed.Subprotocol {
		t.Errorf("the subprotocol is %q", conn.Subprotocol())
	}
	s.tell(t, "demo.event.v1", "shop", 1)
	s.tell(t, "whatsapp.instance.state.v1", "shop", 2)
	for _, want := range []string{"stream.opened.v1", "instance.state"} {
		_, raw, err := conn.Read(t.Context())
		var got events.Seed
		if err == nil {
			err = json.Unmarshal(raw, &got)
		}
		if err != nil || got.Event != want {
			t.Errorf("got %s, %v; want %s", raw, err, want)
		}
	}
}
