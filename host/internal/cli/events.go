package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/sdk"
)

const (
	// eventPage is how many events are asked for at a time.
	eventPage = 500
	// comeBack is the delay before reconnecting to a host that has not stated one.
	comeBack = time.Second
)

// eventsCommand prints the events in the outbox of a running host: those that are stored, or those
// that come.
func eventsCommand(ctx context.Context, c console, args []string) error {
	fs := newFlags("events")
	follow := fs.Bool("follow", false, "print what comes, until stopped; also over restarts of the host")
	after := fs.String("after", "", "go on behind the event with this `ID`, the first column; 0 begins with the oldest that is kept")
	limit := fs.Int("limit", 100, "without --follow: at most this `NUMBER`")
	shape := fs.String("shape", "cloudevents", "`FORM` of --json: cloudevents or seed")
	var types, names list
	fs.Var(&types, "type", "only events of this `TYPE`; may be repeated")
	fs.Var(&names, "instance", "only events of the instance of this `NAME`; may be repeated")
	reveal := revealFlag(fs)
	to := reachFlags(fs, dataFlag(fs))
	asJSON := fs.Bool("json", false, "print each event as a line of JSON")
	if err := none(c, fs, args); err != nil {
		return err
	}
	host, err := to.control(c)
	if err != nil {
		return err
	}
	defer host.close()
	for _, name := range []string{"shape", "reveal"} {
		if !*asJSON && given(fs, name) {
			return invalid("--%s goes with --json", name)
		}
	}
	query := shownAs(*reveal)
	query.Set("shape", *shape)
	for name, value := range map[string]string{"type": strings.Join(types, ","), "instance": strings.Join(names, ","), "after": *after} {
		if value != "" {
			query.Set(name, value)
		}
	}
	r := eventReader{c, host, query, *asJSON}
	if *follow {
		return r.follow(ctx)
	}
	return r.list(ctx, *limit)
}

type eventReader struct {
	c     console
	host  *control
	query url.Values
	json  bool
}

// list prints the stored events.
func (r eventReader) list(ctx context.Context, limit int) error {
	for limit > 0 {
		r.query.Set("limit", strconv.Itoa(min(limit, eventPage)))
		var page struct {
			Events []json.RawMessage `json:"events"`
			Next   string            `json:"next"`
			More   bool              `json:"more"`
		}
		if err := r.host.get(ctx, http.MethodGet, v1("events"), r.query, nil, &page); err != nil {
			return err
		}
		for _, ev := range page.Events {
			if err := r.print(ev); err != nil {
				return err
			}
		}
		if !page.More {
			return nil
		}
		limit -= len(page.Events)
		r.query.Set("after", page.Next)
	}
	fmt.Fprintf(r.c.err, "there may be more: --after %s\n", r.query.Get("after"))
	return nil
}

// follow prints events as they come. It waits for a host that goes away, and misses nothing
// meanwhile.
func (r eventReader) follow(ctx context.Context) error {
	for began := false; ; {
		res, err := r.host.ask(ctx, http.MethodGet, v1("events"), r.query, nil, http.Header{"Accept": {"text/event-stream"}})
		if refused, ok := errors.AsType[found](err); err != nil && (!began || ok && refused.Status < 500 && refused.Status != http.StatusTooManyRequests) {
			return err
		}
		wait := comeBack
		if err == nil {
			began = true
			wait, err = r.tell(res)
			if err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was to end
		}
		fmt.Fprintln(r.c.err, "the host is away; reading on when it is back")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// tell prints a stream until it ends, and returns how long to wait before reconnecting. An error is
// one of printing.
func (r eventReader) tell(res *http.Response) (wait time.Duration, err error) {
	defer res.Body.Close()
	wait = comeBack
	for ev, err := range serverSent(res.Body) {
		if err != nil {
			break // the host is away
		}
		if ev.kind == "end" {
			var why struct{ RetryAfter int }
			if json.Unmarshal(ev.data, &why) == nil && why.RetryAfter > 0 {
				wait = time.Duration(why.RetryAfter) * time.Second
			}
			break
		}
		if err := r.print(ev.data); err != nil {
			return 0, err
		}
		r.query.Set("after", ev.id)
	}
	return wait, nil
}

// print prints an event on one line: all of it as JSON, or only its type and source, without its
// contents.
func (r eventReader) print(raw []byte) error {
	if r.json {
		_, err := fmt.Fprintf(r.c.out, "%s\n", raw)
		return err
	}
	var ev events.CloudEvent
	if err := json.Unmarshal(raw, &ev); err != nil {
		return fmt.Errorf("the answer of the host cannot be read: %w", err)
	}
	about := strings.TrimPrefix(ev.Source, "/")
	switch ev.Type {
	case events.TypeOpened:
		return nil
	case events.TypeGap:
		var gap struct{ After, Until, Reason string }
		if err := json.Unmarshal(ev.Data, &gap); err != nil {
			return err
		}
		about = fmt.Sprintf("what came after %s and up to %s is not there any more (%s)", gap.After, gap.Until, gap.Reason)
	}
	_, err := fmt.Fprintf(r.c.out, "%s  %s  %-29s  %s\n", printable(ev.Sequence), ev.Time.Local().Format(time.DateTime), printable(ev.Type), printable(about))
	return err
}

// sentEvent is a server-sent event of a host, whose data is one line.
type sentEvent struct {
	id, kind string
	data     []byte // valid until the next event
}

// silence is how long a host may send nothing. Its keep-alives are several times as frequent.
const silence = time.Minute

// serverSent reads a stream of events until it ends, or the host has been silent too long.
func serverSent(r io.ReadCloser) iter.Seq2[sentEvent, error] {
	return func(yield func(sentEvent, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, sdk.MaxMessage+64<<10)
		var ev sentEvent
		mute := time.AfterFunc(silence, func() { _ = r.Close() })
		defer mute.Stop()
		for lines.Scan() {
			mute.Reset(silence)
			name, value, _ := bytes.Cut(lines.Bytes(), []byte(": "))
			switch string(name) {
			case "id":
				ev.id = string(value)
			case "event":
				ev.kind = string(value)
			case "data":
				ev.data = value
				if !yield(ev, nil) {
					return
				}
				ev = sentEvent{}
			}
		}
		if err := lines.Err(); err != nil {
			yield(sentEvent{}, err)
		}
	}
}
