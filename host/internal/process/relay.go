package process

import (
	"bytes"
	"context"
	"log/slog"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	logRate  = 200  // records per second
	logBurst = 1000 // records
	maxPanic = 64 << 10
)

// relay writes what one process prints to stderr into the host's log. One goroutine
// uses it: it calls line for every line, then end.
//
// Records of hclog and slog keep their message, attributes and level, the level
// clamped to Debug…Error. Other text is logged at Debug. From "panic:" or "fatal error:"
// on, plain text is collected and becomes one Error record at the end. Records beyond
// logRate are counted instead of logged.
type relay struct {
	log     *slog.Logger
	tail    tail
	limit   *rate.Limiter
	dropped int

	panicking bool
	panic     []byte
}

func newRelay(log *slog.Logger) *relay {
	return &relay{log: log, limit: rate.NewLimiter(logRate, logBurst)}
}

func (r *relay) line(line []byte) {
	r.tail.add(string(line))
	if isPanic(line) {
		r.panicking = true
	}
	isRecord := len(line) > 0 && line[0] == '{'
	if r.panicking && !isRecord && len(r.panic) < maxPanic {
		r.panic = append(append(r.panic, line...), '\n')
		return
	}
	if !r.limit.Allow() {
		r.dropped++
		return
	}
	r.reportDropped()
	if isRecord {
		if rec, ok := parseRecord(line); ok {
			r.log.LogAttrs(context.Background(), rec.level, rec.message, rec.attrs...)
			return
		}
	}
	r.log.Debug("stderr", "line", string(line))
}

// end logs the number of dropped lines and the collected panic.
func (r *relay) end() {
	r.reportDropped()
	if len(r.panic) > 0 {
		r.log.Error("node panicked", "panic", string(r.panic))
	}
}

func (r *relay) reportDropped() {
	if r.dropped > 0 {
		r.log.Warn("node logs too fast: lines dropped", "dropped", r.dropped, "per_second", logRate)
		r.dropped = 0
	}
}

func isPanic(line []byte) bool {
	return bytes.HasPrefix(line, []byte("panic: ")) || bytes.HasPrefix(line, []byte("fatal error: "))
}

// drainStdio reads go-plugin's stdio stream and discards it: a go-plugin server
// redirects what its program prints after the handshake into this stream, and the
// program would block if nobody read it. A server need not have the stream.
func drainStdio(ctx context.Context, conn *grpc.ClientConn) {
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/plugin.GRPCStdio/StreamStdio")
	if err != nil {
		return
	}
	if stream.SendMsg(&emptypb.Empty{}) != nil || stream.CloseSend() != nil {
		return
	}
	for {
		// Any message decodes as an empty one with unknown fields.
		if stream.RecvMsg(&emptypb.Empty{}) != nil {
			return
		}
	}
}
