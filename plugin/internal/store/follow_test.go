package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/journal"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
)

// alone opens a store as the node does: in a directory of its own.
func alone(t *testing.T, dir string) *store.Store {
	t.Helper()
	s := must[*store.Store](t)(store.Open(t.Context(), store.Options{Dir: dir, Alone: true, Status: ledger.Events{Type: "status", New: func(c ledger.Change) (outbox.Event, error) {
		return outbox.Event{ID: c.Entry.MessageID + c.To.String(), Type: "status", Instance: c.Entry.Instance, Data: []byte(c.To.String())}, nil
	}}}))
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// The outcome of an answered send is found under each of its names and in every way.
func TestOutcomeFollowsTheAnswer(t *testing.T) {
	s := alone(t, t.TempDir())
	sentAt := time.Now().Add(time.Minute).Truncate(time.Second)
	look := map[string]func(context.Context, *ledger.Claim) bool{
		"by key": func(ctx context.Context, c *ledger.Claim) bool {
			e := must[ledger.Entry](t)(s.Ledger.Lookup(ctx, operation, "shop", c.Entry.Key))
			return e.State == ledger.Sent && string(e.Outcome) == "out" && e.Chat.LID == "1@lid"
		},
		"by message": func(ctx context.Context, c *ledger.Claim) bool {
			return must[ledger.Entry](t)(s.Ledger.SentMessage(ctx, "shop", c.Entry.MessageID)).SentAt.Equal(sentAt)
		},
		"by a repeat": func(_ context.Context, c *ledger.Claim) bool {
			return begin(t, s, c.Entry.Key, "f").Verdict == ledger.Replay
		},
		"by its menu": func(ctx context.Context, c *ledger.Claim) bool {
			check(t, s.Ledger.Followed(ctx, "shop", c.Entry.MessageID))
			m, err := s.Menus.Get(ctx, "shop", c.Entry.MessageID)
			return err == nil && m.Chat.LID == "1@lid" && m.SentAt.Equal(sentAt)
		},
	}
	for round := range 20 {
		for name, found := range look {
			c := intend(t, s, fmt.Sprint(name, round))
			check(t, s.Ledger.Conclude(t.Context(), c, ledger.Outcome{State: ledger.Sent, JSON: []byte("out"), ChatLID: "1@lid", SentAt: sentAt}))
			c.Release()
			if !found(t.Context(), c) {
				t.Errorf("%s: not there", name)
			}
		}
	}
}

// leave writes records to the place where a killed process leaves them.
func leave(t *testing.T, dir string, records [][]byte) {
	t.Helper()
	j := must[*journal.Journal](t)(journal.Open(dir, func([][]byte) error { return nil }))
	for _, r := range records {
		must[journal.Ticket](t)(j.Append(r))
	}
	check(t, j.Close())
}

// The sends that an ended process has answered are in the next process's ledger, which reports them
// once.
func TestOutcomesOfTheLastProcess(t *testing.T) {
	dir := t.TempDir()
	s := alone(t, dir)
	_, _, err := s.Outbox.Subscribe(t.Context(), "host", outbox.Filter{Types: []string{"status"}}, nil)
	check(t, err)
	sent, known, other := intend(t, s, "sent"), intend(t, s, "known"), intend(t, s, "other")
	check(t, s.Ledger.Receipt(t.Context(), "shop", ledger.Receipt{MessageIDs: []string{known.Entry.MessageID}, State: ledger.Read}))
	check(t, s.Close())

	var raw [][]byte
	for _, c := range []*ledger.Claim{sent, known, other} {
		id := c.Entry.MessageID
		if c == other {
			id = "3EB0OF-AN-EARLIER-USE-OF-THE-KEY"
		}
		raw = append(raw, must[[]byte](t)(json.Marshal(map[string]any{
			"op": operation, "instance": "shop", "key": c.Entry.Key, "id": id, "at": time.Now().UnixMilli(), "outcome": []byte("out"),
		})))
	}
	raw = append(raw, []byte(`{"op":"gone","instance":"shop","key":"gone","id":"gone"}`))
	for range 2 {
		leave(t, dir, raw)
		s = alone(t, dir)
		for c, want := range map[*ledger.Claim]ledger.State{sent: ledger.Sent, known: ledger.Read, other: ledger.Intent} {
			if e := must[ledger.Entry](t)(s.Ledger.Lookup(t.Context(), operation, "shop", c.Entry.Key)); e.State != want {
				t.Errorf("%s is %v, want %v", c.Entry.Key, e.State, want)
			}
		}
		var told []string
		for _, e := range must[[]outbox.Event](t)(s.Outbox.Read(t.Context(), nil, outbox.Filter{Types: []string{"status"}}, 100)) {
			told = append(told, string(e.Data))
		}
		if len(told) != 2 || told[0] != "read" || told[1] != "sent" {
			t.Errorf("told %q", told)
		}
		check(t, s.Close())
	}
	for i := range 2 {
		if info := must[os.FileInfo](t)(os.Stat(filepath.Join(dir, "journal."+string(rune('0'+i))))); info.Size() > 0 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d bytes, %v", info.Name(), info.Size(), info.Mode())
		}
	}
}
