package process

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// logged returns a logger and the buffer that it writes to, without times.
func logged() (*slog.Logger, *bytes.Buffer) {
	out := &bytes.Buffer{}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 {
				return slog.Attr{}
			}
			return a
		},
	})), out
}

func TestRelay(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"hclog":           {`{"@level":"warn","@message":"hi","@timestamp":"2026-01-01T00:00:00Z","@module":"m","n":1}`, `level=WARN msg=hi module=m n=1`},
		"slog":            {`{"time":"2026-01-01T00:00:00Z","level":"INFO","msg":"hi","a":{"b":[1,2]}}`, `level=INFO msg=hi a="map[b:[1 2]]"`},
		"trace":           {`{"@level":"trace","@message":"hi"}`, `level=DEBUG msg=hi`},
		"beyond error":    {`{"level":"ERROR+100","msg":"hi"}`, `level=ERROR msg=hi`},
		"below debug":     {`{"level":"DEBUG-100","msg":"hi"}`, `level=DEBUG msg=hi`},
		"unknown level":   {`{"level":"shout","msg":"hi"}`, `level=INFO msg=hi`},
		"bad types":       {`{"@message": 42}`, `level=DEBUG msg=stderr line="{\"@message\": 42}"`},
		"no level":        {`{"msg":"hi"}`, `level=DEBUG msg=stderr line="{\"msg\":\"hi\"}"`},
		"broken JSON":     {`{"@level":"warn"`, `level=DEBUG msg=stderr line="{\"@level\":\"warn\""`},
		"two documents":   {`{"level":"INFO","msg":"a"}{"level":"INFO","msg":"b"}`, `level=DEBUG msg=stderr line="{\"level\":\"INFO\",\"msg\":\"a\"}{\"level\":\"INFO\",\"msg\":\"b\"}"`},
		"text":            {`just text`, `level=DEBUG msg=stderr line="just text"`},
		"another's voice": {`{"level":"INFO","msg":"a","node":"other","@pid":1,"@node":"x","":0}`, `level=INFO msg=a _=0 node_=x pid_=1 node_=other`},
	} {
		t.Run(name, func(t *testing.T) {
			log, out := logged()
			r := newRelay(log)
			r.line([]byte(c.in))
			r.end()
			if got := strings.TrimSpace(out.String()); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestRelayKeepsAPanicTogether(t *testing.T) {
	log, out := logged()
	r := newRelay(log)
	for _, line := range []string{"before", "panic: boom", "", "goroutine 1 [running]:", `{"level":"INFO","msg":"meanwhile"}`, "main.main()"} {
		r.line([]byte(line))
	}
	r.end()
	want := `level=DEBUG msg=stderr line=before
level=INFO msg=meanwhile
level=ERROR msg="node panicked" panic="panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n"
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

// A node that prints "panic:" but keeps running is still logged, and does not fill the
// host's memory.
func TestRelayBoundsAPanic(t *testing.T) {
	log, out := logged()
	r := newRelay(log)
	r.line([]byte("panic: not really"))
	for range 3 {
		r.line(bytes.Repeat([]byte("x"), maxPanic/2))
	}
	r.line([]byte("still here"))
	r.end()
	if !strings.Contains(out.String(), `line="still here"`) {
		t.Errorf("lines after %d bytes of panic are lost", maxPanic)
	}
	if len(r.panic) > 2*maxPanic {
		t.Errorf("%d bytes kept", len(r.panic))
	}
}

func TestRelayLimitsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, out := logged()
		r := newRelay(log)
		line := []byte(`{"level":"ERROR","msg":"flood"}`)
		for range logBurst + 500 {
			r.line(line)
		}
		if n := strings.Count(out.String(), "msg=flood"); n != logBurst {
			t.Fatalf("%d records in a moment, want %d", n, logBurst)
		}
		time.Sleep(time.Second)
		out.Reset()
		r.line(line)
		r.end()
		want := fmt.Sprintf("level=WARN msg=\"node logs too fast: lines dropped\" dropped=500 per_second=%d\nlevel=ERROR msg=flood\n", logRate)
		if out.String() != want {
			t.Fatalf("got\n%s\nwant\n%s", out, want)
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	f.Add(`{"@message": 42}`)
	f.Add(`{"@level":"warn","@message":"hi","@timestamp":7,"a":{"b":[1,null,1e400]}}`)
	f.Add(`{"level":"ERROR+99","msg":"x","":""}`)
	f.Fuzz(func(t *testing.T, line string) {
		rec, ok := parseRecord([]byte(line))
		if !ok {
			return
		}
		if rec.level < slog.LevelDebug || rec.level > slog.LevelError || len(rec.attrs) > maxAttrs {
			t.Fatalf("out of bounds: %v, %d attributes", rec.level, len(rec.attrs))
		}
		log, _ := logged()
		log.LogAttrs(t.Context(), rec.level, rec.message, rec.attrs...)
	})
}
