package engine

import (
	"context"
	"log/slog"

	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// origin says which step of which run a call is of.
type origin struct{ flow, run, node string }

type originKey struct{}

// from lets the logs of a call say where it comes from.
func from(ctx context.Context, s run.State, x run.Execute) context.Context {
	return context.WithValue(ctx, originKey{}, origin{s.Flow, s.Run, x.Node})
}

// Origin says which node of which run of which flow a call is of; all are empty for one that
// no run makes.
func Origin(ctx context.Context) (flow, run, node string) {
	o, _ := ctx.Value(originKey{}).(origin)
	return o.flow, o.run, o.node
}

// LogOrigin is a handler for lines that built-in nodes write: it adds the flow, the run
// and the node to each.
func LogOrigin(h slog.Handler) slog.Handler { return originHandler{h} }

type originHandler struct{ slog.Handler }

func (h originHandler) Handle(ctx context.Context, r slog.Record) error {
	if o, ok := ctx.Value(originKey{}).(origin); ok {
		r = r.Clone()
		r.AddAttrs(slog.String("flow", o.flow), slog.String("run", o.run), slog.String("node", o.node))
	}
	return h.Handler.Handle(ctx, r)
}

func (h originHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return originHandler{h.Handler.WithAttrs(attrs)}
}

func (h originHandler) WithGroup(name string) slog.Handler {
	return originHandler{h.Handler.WithGroup(name)}
}
