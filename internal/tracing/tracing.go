// Package tracing creates OpenTelemetry spans and passes their context on as a W3C traceparent,
// across processes and in data that is stored for days.
//
// What it guarantees:
//
//   - Nothing is recorded and nothing leaves the process unless the standard variables ask for
//     it: OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, over HTTP with
//     protobuf. OTEL_SDK_DISABLED=true and OTEL_TRACES_EXPORTER=none keep it off.
//   - A process that records nothing passes on the traceparent it was given.
//   - All spans of a run belong to one trace, whose id is not stored: it is derived from the run's
//     id.
//   - A collector that does not answer delays nobody: spans are dropped.
package tracing

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Environment reports whether a variable is one of this package's settings, which a host passes on
// to its nodes.
func Environment(name string) bool { return strings.HasPrefix(name, "OTEL_") }

// asked reports whether the environment asks for spans.
func asked() bool {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")+os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return false
	}
	return !strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") && os.Getenv("OTEL_TRACES_EXPORTER") != "none"
}

// Start begins to export spans if the environment asks for it; on reports whether it does. The
// process calls stop at its end, which exports the remaining spans until its ctx ends.
func Start(ctx context.Context, service string) (stop func(context.Context) error, on bool, err error) {
	off := func(context.Context) error { return nil }
	if !asked() {
		return off, false, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return off, false, fmt.Errorf("export traces: %w", err)
	}
	// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over the service given here.
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", service)), resource.WithFromEnv())
	if err != nil {
		return off, false, fmt.Errorf("export traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about), sdktrace.WithIDGenerator(ids{}))
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(provider)
	recording.Store(true)
	return func(ctx context.Context) error {
		recording.Store(false)
		otel.SetTracerProvider(before)
		return provider.Shutdown(ctx)
	}, true, nil
}

// recording is set while spans are exported; without it Begin costs nothing.
var recording atomic.Bool

// Span is a piece of work. The zero value records nothing.
type Span struct {
	span  trace.Span
	given string // the traceparent of its parent, if nothing is recorded
}

// Begin begins a span whose parent is traceparent or, if that is empty, the span of ctx. attributes
// are names and values in turn. They contain nothing that people write and none of their phone
// numbers.
func Begin(ctx context.Context, name, traceparent string, attributes ...string) (context.Context, Span) {
	if !recording.Load() {
		return ctx, Span{given: traceparent}
	}
	if traceparent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
	}
	ctx, span := tracer().Start(ctx, name, with(attributes))
	return ctx, Span{span: span}
}

// End ends the span. err is why the work failed; the span says only that it failed.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, "failed")
	}
	s.span.End()
}

// Traceparent returns the parent for work that follows.
func (s Span) Traceparent() string {
	if s.span == nil {
		return s.given
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpan(context.Background(), s.span), carrier)
	return carrier["traceparent"]
}

// Of returns the traceparent of a run, the parent of every call of the run.
func Of(run string) string {
	c := contextOf(run)
	return fmt.Sprintf("00-%s-%s-01", c.TraceID(), c.SpanID())
}

// Mark creates the span that [Of] names, with no duration, at the time the run began.
func Mark(ctx context.Context, run, name string, at time.Time, attributes ...string) {
	ctx = context.WithValue(ctx, wanted{}, contextOf(run))
	_, span := tracer().Start(ctx, name, with(attributes), trace.WithNewRoot(), trace.WithTimestamp(at))
	span.End(trace.WithTimestamp(at))
}

func contextOf(run string) trace.SpanContext {
	sum := sha256.Sum256([]byte("tapnode/trace/v1:" + run))
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID(sum[:16]), SpanID: trace.SpanID(sum[16:24]), TraceFlags: trace.FlagsSampled})
}

func tracer() trace.Tracer { return otel.Tracer("github.com/tapnode/tapnode") }

func with(attributes []string) trace.SpanStartEventOption {
	var list []attribute.KeyValue
	for i := 0; i+1 < len(attributes); i += 2 {
		list = append(list, attribute.String(attributes[i], attributes[i+1]))
	}
	return trace.WithAttributes(list...)
}

// wanted is the context key for the ids that the next span must have.
type wanted struct{}

// ids creates random ids, except for a span whose ids are given with wanted.
type ids struct{}

// NewIDs implements sdktrace.IDGenerator.
func (g ids) NewIDs(ctx context.Context) (t trace.TraceID, _ trace.SpanID) {
	if c, ok := ctx.Value(wanted{}).(trace.SpanContext); ok {
		return c.TraceID(), c.SpanID()
	}
	rand.Read(t[:]) //nolint:errcheck // never fails
	return t, g.NewSpanID(ctx, t)
}

// NewSpanID implements sdktrace.IDGenerator.
func (ids) NewSpanID(context.Context, trace.TraceID) (s trace.SpanID) {
	rand.Read(s[:]) //nolint:errcheck // never fails
	return s
}
