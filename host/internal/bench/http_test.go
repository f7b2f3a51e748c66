package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/host/internal/api"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// BenchmarkHTTP prints what HTTP adds to an Execute. It compares a call of /v1 whose Execute takes no
// time with a bare net/http handler that reads the same body and answers with the same number of
// bytes. Both run in the same process and take turns.
func BenchmarkHTTP(b *testing.B) { overHTTP(b, os.Stdout, 12, 64, 1000, 2*time.Second) }

// TestHTTP runs the same code in miniature.
func TestHTTP(t *testing.T) { overHTTP(t, t.Output(), 2, 4, 200, 100*time.Millisecond) }

// overHTTP has a number of connections send rate requests per second, evenly spaced, for the length
// of a round, and then as fast as they can.
func overHTTP(tb testing.TB, w io.Writer, rounds, connections, rate int, round time.Duration) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), labTimeout)
	defer cancel()
	h := newHTTPRig(tb, ctx)
	arms := []string{h.execute, h.echo}
	p50, p99 := make([][]float64, 2), make([][]float64, 2)
	_, err := turns(rounds, 2, func(arm int) (float64, error) {
		took, err := h.paced(ctx, arms[arm], connections, rate, round)
		p50[arm], p99[arm] = append(p50[arm], quantile(took, 0.5)), append(p99[arm], quantile(took, 0.99))
		return 0, err
	})
	fatal(tb, err)
	most, err := turns(rounds, 2, func(arm int) (float64, error) { return h.most(ctx, arms[arm], connections, round/2) })
	fatal(tb, err)
	fmt.Fprintf(w, "\n%-44s  %-20s  %-20s  %-20s  %s\n", fmt.Sprintf("HTTP, %d connections", connections), "execute", "bare net/http echo", "added", "goal")
	for _, row := range []struct {
		name   string
		values [][]float64
		goal   string
	}{{"median ms", p50, "≤ 0.3"}, {"p99 ms", p99, "≤ 2"}} {
		fmt.Fprintf(w, "%-44s  %-20s  %-20s  %-20s  %s\n", fmt.Sprintf("%d requests/s, %s", rate, row.name),
			statOf(row.values[0]).text(2), statOf(row.values[1]).text(2), statOf(pairwise(row.values[0], row.values[1], difference)).text(2), row.goal)
	}
	fmt.Fprintf(w, "%-44s  %-20s  %-20s  %s\n", "as fast as they can, requests/s", statOf(most[0]).text(0), statOf(most[1]).text(0),
		statOf(pairwise(most[0], most[1], quotient)).text(2)+" of those")
}

// httpRig serves an operation that takes no time, and an echo.
type httpRig struct {
	client        *http.Client
	execute, echo string // addresses
	token         string
	body          []byte
}

const opEcho = "bench.echo@1"

// instant is a node whose calls take no time.
type instant struct{}

func (instant) Offers(id string) bool { return id == opEcho }

func (instant) Execute(_ context.Context, r client.Request, _ func(client.Progress)) (client.Result, error) {
	return client.Result{Output: r.Input}, nil
}

func (instant) Validate(context.Context, string, []byte) ([]sdk.Violation, []sdk.Warning, error) {
	return nil, nil, nil
}

func newHTTPRig(tb testing.TB, ctx context.Context) *httpRig {
	tb.Helper()
	log, err := sqllog.Open(ctx, sqllog.Options{Dir: tb.TempDir()})
	fatal(tb, err)
	tokens, err := access.Open(ctx, access.Options{DB: log.DB(), PerMinute: 1e9})
	fatal(tb, err)
	secret, _, err := tokens.Create(ctx, access.Owner(), access.Token{Scopes: []access.Scope{access.Send}})
	fatal(tb, err)
	catalogue, err := flow.NewCatalogue(flow.Operation{OperationManifest: sdk.OperationManifest{ID: opEcho, Kind: sdk.KindAction, Replay: sdk.Keyed}})
	fatal(tb, err)
	server, err := api.New(api.Options{Listen: "127.0.0.1:0", Access: tokens, Catalogue: catalogue, Calls: instant{}})
	fatal(tb, err)
	fatal(tb, server.Start(ctx))
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(body)
		}
	}))
	h := &httpRig{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}, execute: server.URL() + "/v1/operations/" + opEcho + "/execute", echo: echo.URL, token: secret,
		body: slices.Concat([]byte(`{"input":`), menu("shop-0", "5511999990001"), []byte(`}`))}
	tb.Cleanup(func() {
		h.client.CloseIdleConnections()
		echo.Close()
		stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Stop(stop); err != nil {
			tb.Error(err)
		}
		if err := log.Close(); err != nil {
			tb.Error(err)
		}
	})
	return h
}

// ask makes one request and returns how long it took in milliseconds.
func (h *httpRig) ask(ctx context.Context, url string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(h.body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("token", h.token)
	req.Header.Set("Idempotency-Key", "bench")
	began := time.Now()
	res, err := h.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return 0, err
	}
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("answered %s", res.Status)
	}
	return ms(time.Since(began)), nil
}

// paced sends evenly: each connection has its own point in time for each of its requests.
func (h *httpRig) paced(ctx context.Context, url string, connections, rate int, round time.Duration) ([]float64, error) {
	every := time.Duration(connections) * time.Second / time.Duration(rate)
	return h.each(connections, func(i int, took *[]float64) error {
		next := time.NewTimer(every * time.Duration(i) / time.Duration(connections))
		defer next.Stop()
		for n := range int(round / every) {
			select {
			case <-next.C:
			case <-ctx.Done():
				return ctx.Err()
			}
			next.Reset(every)
			one, err := h.ask(ctx, url)
			if err != nil {
				return err
			}
			if n > 0 { // the first request of a connection may open it
				*took = append(*took, one)
			}
		}
		return nil
	})
}

// most measures how many requests per second get through.
func (h *httpRig) most(ctx context.Context, url string, connections int, round time.Duration) (float64, error) {
	began := time.Now()
	took, err := h.each(connections, func(_ int, took *[]float64) error {
		for time.Since(began) < round {
			one, err := h.ask(ctx, url)
			if err != nil {
				return err
			}
			*took = append(*took, one)
		}
		return nil
	})
	return float64(len(took)) / time.Since(began).Seconds(), err
}

// each runs f for each connection and returns the times of all requests.
func (h *httpRig) each(connections int, f func(i int, took *[]float64) error) ([]float64, error) {
	var mu sync.Mutex
	var all []float64
	var g errgroup.Group
	for i := range connections {
		g.Go(func() error {
			var took []float64
			err := f(i, &took)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			return err
		})
	}
	err := g.Wait()
	return all, err
}
