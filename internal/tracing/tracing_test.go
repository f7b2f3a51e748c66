package tracing

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// TestOff: a process that records nothing passes on the traceparent it was given, and creates none.
func TestOff(t *testing.T) {
	for _, env := range []map[string]string{
		{},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "TRUE"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
	} {
		t.Run("", func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
			for name, value := range env {
				t.Setenv(name, value)
			}
			stop, on, err := Start(t.Context(), "test")
			if err != nil || on {
				t.Fatalf("on %v: %v", on, err)
			}
			_, span := Begin(t.Context(), "work", given, "name", "value")
			if got := span.Traceparent(); got != given {
				t.Errorf("it hands on %q", got)
			}
			span.End(errors.New("failed"))
			if _, none := Begin(t.Context(), "work", ""); none.Traceparent() != "" {
				t.Errorf("of nothing it makes %q", none.Traceparent())
			}
			if err := stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestOf: two processes name the same trace for the same run, and a different one for another run.
func TestOf(t *testing.T) {
	c := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(t.Context(), propagation.MapCarrier{"traceparent": Of("r1")}))
	if !c.IsValid() || !c.IsSampled() || Of("r1") == Of("r2") {
		t.Errorf("%s is no traceparent: %+v", Of("r1"), c)
	}
	tid, sid := ids{}.NewIDs(context.WithValue(t.Context(), wanted{}, contextOf("r1")))
	if tid != c.TraceID() || sid != c.SpanID() {
		t.Errorf("the first span is %s %s", tid, sid)
	}
}

// BenchmarkOff measures a call without traces.
func BenchmarkOff(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, span := Begin(b.Context(), "work", "", "name", "value")
		span.End(nil)
	}
}
