package cli

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// spans is a collector of traces.
type spans struct {
	mu  sync.Mutex
	all []*trace.Span
}

// ServeHTTP receives what an OTLP exporter sends.
func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	var req collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(raw, &req) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range req.GetResourceSpans() {
		for _, ss := range rs.GetScopeSpans() {
			s.all = append(s.all, ss.GetSpans()...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// TestTrace: a menu is sent, the host and its node are replaced, and the menu is tapped and
// answered. One trace links all of it, and contains nothing that identifies the customer.
func TestTrace(t *testing.T) {
	t.Parallel()
	seen := &spans{}
	server := httptest.NewServer(seen)
	t.Cleanup(server.Close)
	phone, data, settings := pairedElsewhere(t)
	const token = "0123456789abcdef0123456789abcdef"
	env := []string{accountTokenEnv + "=" + token, "OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL}
	begin := func() (*running, *served) {
		r := startProcessIn(t, env, "serve", "--listen", "127.0.0.1:0", "--data", data, "--settings", settings, simulated)
		return r, &served{url: r.until(t, "tapnode serves at "), token: token}
	}
	first, api := begin()
	if status, body := api.do(t, "POST", "/v1/flows/menu/runs", `{}`); status != 201 {
		t.Fatalf("start: %d %s", status, body)
	}
	menu, err := phone.Wait(t.Context(), func(m wasim.Message) bool { return strings.Contains(m.Text, "how can we help?") })
	if err != nil {
		t.Fatal(err)
	}
	first.until(t, "wait.armed")
	first.interrupt(t)
	if _, err := phone.Click(t.Context(), menu, "billing", wasim.ShapeInteractive); err != nil { // while no host runs
		t.Fatal(err)
	}
	next, _ := begin()
	next.until(t, "run.finished")
	next.interrupt(t)

	seen.mu.Lock()
	defer seen.mu.Unlock()
	byID, byName := map[string]*trace.Span{}, map[string]*trace.Span{}
	for _, span := range seen.all {
		byID[hex.EncodeToString(span.GetSpanId())] = span
		byName[span.GetName()] = span
	}
	path := func(name string) (names []string) { // from a span up to the root of its trace
		for span := byName[name]; span != nil; span = byID[hex.EncodeToString(span.GetParentSpanId())] {
			names = append(names, span.GetName())
		}
		return names
	}
	const sent = "execute whatsapp.sendButtons@1 < call whatsapp.sendButtons@1 < run menu"
	for name, want := range map[string]string{
		"send to WhatsApp":                 "", // there are two
		"click":                            "click < " + sent,
		"event whatsapp.button.clicked.v1": "event whatsapp.button.clicked.v1 < click < " + sent,
		"execute whatsapp.sendText@1":      "execute whatsapp.sendText@1 < call whatsapp.sendText@1 < run menu",
	} {
		got := strings.Join(path(name), " < ")
		if byName[name] == nil || want != "" && got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	traces := map[string]bool{}
	for _, span := range seen.all {
		traces[hex.EncodeToString(span.GetTraceId())] = true
		if text := span.String(); regexp.MustCompile(`[^0-9a-f\\x](55119\d{8}|55113\d{8})`).MatchString(text) || strings.Contains(text, "Billing") {
			t.Errorf("a span tells too much: %s", text)
		}
	}
	if len(traces) != 1 {
		t.Errorf("%d traces, want one: %v", len(traces), byName)
	}
}
