package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// TestCrashSends: 64 connections send menus for a while, each with its own token, and repeat each
// message under a key until it is accepted. Meanwhile the host is killed with SIGKILL three times,
// and the receiver of its webhook fails 30 % of the calls, is slow and is restarted. In the end
// every accepted message is on its phone once, no other is there twice, and the receiver got each
// under one id. TAPNODE_CRASH_SECONDS sets how long; 60 is the whole test.
func TestCrashSends(t *testing.T) {
	t.Parallel()
	leftToCrash(t)
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		crashSends(t, nil)
	})
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		crashSends(t, startMortalPostgres(t))
	})
}

func crashSends(t *testing.T, base *mortalPostgres) {
	lasting := time.Duration(sized("TAPNODE_CRASH_SECONDS", 2)) * time.Second
	const senders, people = 64, 8
	address := freeAddress(t)
	world, host := startMortalWorld(t, base, heardFlow, "--listen", address)
	f := startFrail(t)
	hook := fmt.Appendf(nil, `{"url":"http://%s/in","events":["whatsapp.message.sent.v1"]}`, f.address)
	if err := host.control.get(t.Context(), http.MethodPost, v1("webhooks"), nil, hook, nil); err != nil {
		t.Fatal(err)
	}
	phones := make([]*wasim.Phone, people)
	for i := range phones {
		var err error
		if phones[i], err = world.Server().NewPhone(t.Context(), crashNumber(i)); err != nil {
			t.Fatal(err)
		}
	}
	type sent struct{ number, text, id string }
	var mu sync.Mutex
	var accepted []sent
	var all sync.WaitGroup
	var over atomic.Bool
	end := time.Now().Add(lasting)
	further := func() { // until many more are accepted, so that a running host accepts them
		mu.Lock()
		before := len(accepted)
		mu.Unlock()
		eventually(t, "more messages are accepted", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(accepted) >= before+senders
		})
	}
	for c := range senders {
		var made struct{ Token string }
		body := fmt.Appendf(nil, `{"name":"sender %d","scopes":["send"]}`, c)
		if err := host.control.get(t.Context(), http.MethodPost, v1("tokens"), nil, body, &made); err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: 30 * time.Second}
		all.Go(func() {
			defer client.CloseIdleConnections()
			for n := 0; !over.Load() || time.Now().Before(end); n++ {
				m := sent{number: crashNumber(c % people), text: fmt.Sprintf("menu %d of %d", n, c)}
				path := "http://" + address + "/api/message/button/" + crashInstance(c%crashInstances)
				if m.id = insist(t, client, path, made.Token, m.number, m.text); m.id != "" {
					mu.Lock()
					accepted = append(accepted, m)
					mu.Unlock()
				}
			}
		})
	}
	defer all.Wait()
	defer over.Store(true)
	for range 3 {
		further()
		time.Sleep(lasting/8 + time.Duration(rand.Int64N(int64(lasting/8)))) // a kill needs no precision
		host.kill()
		f.stop()
		f.start(t)
	}
	further()
	over.Store(true)
	all.Wait()
	t.Logf("%d messages accepted, %d lives of the host", len(accepted), host.lives.Load())
	began := time.Now()
	comes(t, "messages that the receiver knows", len(accepted), func() int { // its failures delay the events of an instance, so it has fallen behind
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.sent)
	})
	t.Logf("the receiver knew them all after %v more", time.Since(began).Round(time.Second))
	shown := func() map[string]int {
		n := map[string]int{}
		for i, p := range phones {
			for _, m := range p.Inbox() {
				n[crashNumber(i)+" "+m.Text]++
			}
		}
		return n
	}
	comes(t, "messages that the phones show", len(accepted), func() int { return len(shown()) })
	host.stop(t)
	for key, n := range shown() {
		if n != 1 {
			t.Errorf("%q is shown %d times", key, n)
		}
	}
	seen := shown()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range accepted {
		if seen[m.number+" "+m.text] != 1 {
			t.Errorf("%s %q was accepted and is not on its phone", m.id, m.text)
		}
		if len(f.sent[m.id]) != 1 {
			t.Errorf("%s was told under %d ids", m.id, len(f.sent[m.id]))
		}
	}
	t.Logf("%d calls of the receiver failed", f.failed)
}

// comes waits until a count has reached a number, as long as it grows.
func comes(t *testing.T, what string, want int, count func() int) {
	t.Helper()
	last, grew := count(), time.Now()
	for ; last < want; time.Sleep(200 * time.Millisecond) {
		if n := count(); n > last {
			last, grew = n, time.Now()
		} else if time.Since(grew) > patience {
			t.Fatalf("%s: %d, want %d, and no more come", what, last, want)
		}
	}
}

// insist sends one menu under one key until it is accepted, and returns the message's id.
func insist(t *testing.T, client *http.Client, url, token, number, text string) string {
	body := fmt.Sprintf(`{"number":%q,"contentText":%q,"buttons":[{"id":"a","displayText":"A"},{"id":"b","displayText":"B"}]}`, number, text)
	var status int
	var raw []byte
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return ""
		}
		req.Header.Set("token", token)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", text)
		res, err := client.Do(req)
		if err != nil {
			continue // the host is dead
		}
		raw, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
		if status = res.StatusCode; err != nil || status == http.StatusTooManyRequests || status >= 500 {
			continue
		}
		var out struct {
			Data struct {
				MessageID string `json:"messageId"`
			}
		}
		if err := json.Unmarshal(raw, &out); err != nil || status != http.StatusOK || out.Data.MessageID == "" {
			break
		}
		return out.Data.MessageID
	}
	t.Errorf("%q was not accepted: %d %.300s", text, status, raw)
	return ""
}
