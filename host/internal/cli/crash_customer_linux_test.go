package cli

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// asked is a run as its customer saw it.
type asked struct {
	id       string
	button   string    // that was tapped; empty if none was
	from, to time.Time // the tap, if any, was between them
	tap      string    // id of its message
}

func (c *crash) phone(n int) *wasim.Phone { return c.phones[n%crashPhones] }

// live starts a run and plays its customer, who taps at once, around the deadline, or not at all.
func (c *crash) live(n int) {
	c.faults.allow(c.t.Context(), n)
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Minute)
	defer cancel()
	if err := c.converse(ctx, n, &c.runs[n]); err != nil {
		c.t.Errorf("run %d %s: %v", n, c.runs[n].id, err)
	}
}

func (c *crash) converse(ctx context.Context, n int, r *asked) (err error) {
	vars := map[string]string{"instance": crashInstance(n % c.instances), "phone": crashNumber(n % crashPhones), "order": fmt.Sprint(n)}
	if r.id, err = c.any().run(ctx, fmt.Sprintf("order-%d", n), vars); err != nil {
		return fmt.Errorf("it was never started: %w", err)
	}
	c.moves.Add(1)
	menu, err := c.shown(ctx, n, "menu")
	if err != nil {
		return err
	}
	c.moves.Add(1)
	defer c.moves.Add(1)
	think := time.Duration(rand.Int64N(int64(time.Second)))
	switch plan := rand.IntN(10); {
	case plan < 3:
		_, err = c.shown(ctx, n, "silent")
		return err
	case plan < 6: // around the deadline
		think += crashTimeout - 500*time.Millisecond
	}
	time.Sleep(think) // as people do
	r.button = []string{"yes", "pay"}[rand.IntN(2)]
	r.from = time.Now()
	if r.tap, err = c.phone(n).Click(ctx, menu, r.button, wasim.ShapeInteractive); err != nil {
		return fmt.Errorf("the tap: %w", err)
	}
	r.to = time.Now()
	_, err = c.shown(ctx, n, "answer", "lost", "silent")
	return err
}

// shown waits until the phone shows one of the messages of a run.
func (c *crash) shown(ctx context.Context, n int, texts ...string) (wasim.Message, error) {
	m, err := c.phone(n).Wait(ctx, func(m wasim.Message) bool {
		for _, text := range texts {
			if m.Text == fmt.Sprintf("%s %d", text, n) {
				return true
			}
		}
		return false
	})
	if err != nil {
		err = fmt.Errorf("the phone never showed %s: %w", strings.Join(texts, " or "), err)
	}
	return m, err
}

// counting is a slow web service that may be called only once for each order.
type counting struct {
	*httptest.Server
	mu   sync.Mutex
	hits map[string]int
}

func startCounting(t *testing.T) *counting {
	w := &counting{hits: map[string]int{}}
	w.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.hits[r.URL.Query().Get("order")]++
		w.mu.Unlock()
		time.Sleep(time.Duration(rand.Int64N(int64(300 * time.Millisecond)))) // so that kills come in between
	}))
	t.Cleanup(w.Close)
	return w
}

// asked returns how often it was called for an order.
func (w *counting) asked(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hits[fmt.Sprint(n)]
}
