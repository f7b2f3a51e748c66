package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/host/internal/events"
)

const (
	hookCallers   = 64 // at the same time, in both arms
	hookInstances = 64
)

// BenchmarkWebhooks prints how many events per second get from a click to a fast receiver. Each event
// is stored and waited for, read from the outbox, signed and posted, and its delivery is stored. In
// the same round, net/http makes as many bare posts of the same bodies.
func BenchmarkWebhooks(b *testing.B) {
	each(b, func(name string, o sqllog.Options) { hooks(b, os.Stdout, name, o, 6000, 5) })
}

// TestWebhooks runs the same code in miniature.
func TestWebhooks(t *testing.T) {
	hooks(t, t.Output(), "SQLite", sqllog.Options{Dir: t.TempDir()}, 200, 2)
}

// target is a fast receiver that counts the distinct events it receives.
type target struct {
	*httptest.Server
	mu   sync.Mutex
	ids  map[string]bool
	body []byte // the body of one of them
	want int
	all  chan struct{}
}

func newTarget() *target {
	r := &target{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ids[req.Header.Get("webhook-id")], r.body = true, body
		if len(r.ids) == r.want {
			close(r.all)
			r.want = 0
		}
	}))
	return r
}

// expect restarts the count.
func (r *target) expect(n int) (all <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids, r.want, r.all = map[string]bool{}, n, make(chan struct{})
	return r.all
}

func hooks(tb testing.TB, w io.Writer, name string, o sqllog.Options, n, rounds int) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), labTimeout)
	defer cancel()
	log, err := sqllog.Open(ctx, o)
	fatal(tb, err)
	defer func() { fatal(tb, log.Close()) }()
	to := newTarget()
	defer to.Close()
	s := events.New(events.Options{DB: log.DB(), Told: log.Told, Secret: []byte("secret"), Private: true})
	defer func() { fatal(tb, s.Stop(ctx)) }()
	_, _, err = s.Create(ctx, events.Settings{URL: to.URL, Parallel: hookCallers}, true)
	fatal(tb, err)
	s.Start()
	fatal(tb, tell(ctx, log, to, -1, hookInstances)) // so that connections are open
	posts := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: hookCallers}}
	defer posts.CloseIdleConnections()
	var durable, bare []float64
	for round := range rounds {
		arms := []func() error{
			func() error {
				began := time.Now()
				err := tell(ctx, log, to, round, n)
				durable = append(durable, float64(n)/time.Since(began).Seconds())
				return err
			},
			func() error {
				began := time.Now()
				err := post(ctx, posts, to, n)
				bare = append(bare, float64(n)/time.Since(began).Seconds())
				return err
			},
		}
		for i := range arms {
			fatal(tb, arms[(i+round)%2]())
		}
	}
	fmt.Fprintf(w, "\n%-44s  %s/s  bare posts %s/s  ratio %s  (goal ≥ 2,000/s)\n", "webhooks, stored and delivered, "+name,
		statOf(durable).text(0), statOf(bare).text(0), statOf(pairwise(durable, bare, quotient)).text(2))
}

// tell stores n clicks, as many at a time as a host handles, and waits until the receiver has all of
// them.
func tell(ctx context.Context, log *sqllog.Log, to *target, round, n int) error {
	data, err := json.Marshal(map[string]any{"instance": "shop", "messageId": "3A1F", "button": map[string]any{"id": "menu_sales", "displayText": "Talk to sales"}, "rawId": bytes.Repeat([]byte("x"), 600)})
	if err != nil {
		return err
	}
	all := to.expect(n)
	group, within := errgroup.WithContext(ctx)
	for worker := range hookCallers {
		group.Go(func() error {
			for i := worker; i < n; i += hookCallers {
				ev := engine.Outgoing{ID: fmt.Sprintf("%d-%d", round, i), Type: "whatsapp.button.clicked.v1", Instance: fmt.Sprint("shop", i%hookInstances), Time: time.Now(), Data: data}
				if err := log.Tell(within, ev)(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	select {
	case <-all:
		return nil
	case <-ctx.Done():
		return errors.New("not all events came")
	}
}

// post posts n bodies with net/http alone.
func post(ctx context.Context, client *http.Client, to *target, n int) error {
	to.mu.Lock()
	body := to.body
	to.mu.Unlock()
	all := to.expect(n)
	group, within := errgroup.WithContext(ctx)
	for worker := range hookCallers {
		group.Go(func() error {
			for i := worker; i < n; i += hookCallers {
				req, err := http.NewRequestWithContext(within, http.MethodPost, to.URL, bytes.NewReader(body))
				if err != nil {
					return err
				}
				req.Header.Set("webhook-id", fmt.Sprint(i))
				res, err := client.Do(req)
				if err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, res.Body)
				if err := errors.Join(err, res.Body.Close()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	<-all
	return nil
}
