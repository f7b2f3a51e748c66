package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// tap is a call of the click workload, with the answer that it must get.
type tap struct{ request, answer []byte }

// preview makes an event about 600 bytes long, which is the size of a tap with its context.
const preview = "Thank you for writing to us, Ana. Please choose one of the subjects below, so that the right people read your message and answer it today, or tomorrow at the latest."

// taps are the calls of the workload, one for each button.
func taps(address string) (out []tap, err error) {
	to, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	for _, id := range []string{"billing", "support", "sales"} {
		event, err := json.Marshal(map[string]any{
			"event": "button.tapped", "id": "evt_0000000000000000000000001", "at": "2026-11-26T08:30:00.123Z",
			"instance": map[string]any{"id": "inst_1", "name": "shop"},
			"chat":     map[string]any{"id": "5511988880001@s.whatsapp.net", "kind": "direct"},
			"from":     map[string]any{"id": "5511988880001", "name": "Ana Lima"},
			"message":  map[string]any{"id": "3EB0000000000000000A", "replyTo": "3EB0000000000000000B", "preview": preview},
			"button":   map[string]any{"id": id, "title": id}, "vars": map[string]any{"orderId": "B-20417", "locale": "pt-BR"},
		})
		if err != nil {
			return nil, err
		}
		request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			to.Path, to.Host, len(event), event)
		answer := fmt.Appendf(nil, `{"ok":true,"branch":%q,"reply":"%s: Ana Lima (5511988880001), order B-20417, tapped %s"}`, id, titles[id], id)
		out = append(out, tap{request, answer})
	}
	return out, nil
}

// titles are the constants that the branches answer with.
var titles = map[string]string{"billing": "Billing", "support": "Support", "sales": "Sales"}

// burstOf is the result of one burst of the workload.
type burstOf struct {
	calls     int
	perSecond float64
	ms        []float64 // of each call
}

// load sends calls over a number of connections, one after the other on each, until a point in time.
// The first answer on each connection is compared member by member, the others by their length.
func load(ctx context.Context, address string, connections int, until time.Time) (burstOf, error) {
	all, err := taps(address)
	if err != nil {
		return burstOf{}, err
	}
	to, _ := url.Parse(address) // taps has parsed it
	took := make([][]float64, connections)
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for i := range connections {
		g.Go(func() (err error) {
			took[i], err = talk(ctx, to.Host, all, i, until)
			return err
		})
	}
	err = g.Wait()
	b := burstOf{ms: slices.Concat(took...)}
	b.calls = len(b.ms)
	b.perSecond = float64(b.calls) / time.Since(began).Seconds()
	return b, err
}

// talk does load's work for one connection.
func talk(ctx context.Context, host string, all []tap, first int, until time.Time) (took []float64, err error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(until.Add(30 * time.Second)); err != nil {
		return nil, err
	}
	answers := bufio.NewReader(c)
	for i := first; time.Now().Before(until) && ctx.Err() == nil; i++ {
		t := all[i%len(all)]
		sent := time.Now()
		if _, err := c.Write(t.request); err != nil {
			return took, err
		}
		r, err := http.ReadResponse(answers, nil)
		if err != nil {
			return took, err
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return took, err
		}
		took = append(took, ms(time.Since(sent)))
		if r.StatusCode != http.StatusOK || len(took) == 1 && !same(body, t.answer) || len(body) != len(t.answer) {
			return took, fmt.Errorf("answered %d %s, want %s", r.StatusCode, bytes.TrimSpace(body), t.answer)
		}
	}
	return took, nil
}

func same(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
