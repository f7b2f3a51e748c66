package node

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/send"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/cache"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// evaNumber has only one form, unlike Brazilian mobile numbers.
const evaNumber = "4915112340001"

// nobody is a LID without an account.
const nobody = "999999999999999@lid"

// remembering is a shop that has queried Eva's number when it belonged to another account.
func remembering(t *testing.T, lid func(*world) string) (*world, *wasim.Phone) {
	w := newWorld(t, wasim.Options{})
	eva := w.customer(evaNumber)
	w.customer(bobNumber)
	w.shut()
	w.inStore(func(s *store.Store) {
		w.must(s.Cache.PutRecipient(w.ctx(), cache.Recipient{Query: evaNumber, Found: true, ExpiresAt: time.Now().Add(20 * time.Hour),
			Chat: recipient.Chat{JID: evaNumber + "@s.whatsapp.net", LID: lid(w)}}))
	})
	w.start()
	w.pair("shop", shopNumber)
	return w, eva
}

// inStore opens the database of the node, which is not running.
func (w *world) inStore(use func(*store.Store)) {
	w.t.Helper()
	s, err := store.Open(w.ctx(), store.Options{Dir: filepath.Join(w.dir, "store"), Postgres: w.dsn})
	w.must(err)
	use(s)
	w.must(s.Close())
}

// TestNewerLID: the addresses in a person's own message count more than an older answer about her
// number.
func TestNewerLID(t *testing.T) {
	t.Parallel()
	w, eva := remembering(t, func(*world) string { return nobody })
	w.writes(eva, "it is me, on a new account")
	for _, operation := range []string{send.OpButtons, send.OpText} {
		input := textTo(evaNumber)
		if operation == send.OpButtons {
			input = menuTo(evaNumber)
		}
		var out send.Output
		w.must(w.call(operation, input, &out))
		if out.Chat.JID != eva.LID().String() {
			t.Errorf("%s went to %s, she is %s", operation, out.Chat.JID, eva.LID())
		}
	}
}

// TestStaleAddress: if a cached address no longer has an account, or WhatsApp refuses a message to
// it, WhatsApp is queried again, and the repeat goes to the number's current address in its
// intended form.
func TestStaleAddress(t *testing.T) {
	t.Parallel()
	for name, lid := range map[string]func(*world) string{
		"nobody there": func(*world) string { return nobody },
		"refused": func(w *world) string {
			w.fault(wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageMessage, Recipient: bobNumber}, Action: wasim.Fault{AckError: &wasim.AckError{Code: 479}}})
			return w.sim.Account(bobNumber).LID().String()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, eva := remembering(t, lid)
			menu := menuTo(evaNumber)
			menu["fallback"] = "text"
			r := client.Request{Operation: send.OpButtons, Input: raw(t, menu), Key: "k"}
			if p := problemOf(t, w.execute(r, nil)); p.Effect != sdk.EffectNone || !p.Retryable {
				t.Errorf("problem = %+v", p)
			}
			var out send.Output
			w.must(w.execute(r, &out))
			if m, err := eva.WaitID(w.ctx(), out.MessageID); err != nil || len(m.Buttons) != 2 {
				t.Errorf("Eva sees %+v (%v)", m, err)
			}
		})
	}
}

// TestReplyUnderTheOtherName: somebody who wrote first, under a LID, is recognised by the number as
// soon as one of our own messages has shown that the two belong together; and a refused message
// names both.
func TestReplyUnderTheOtherName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wasim.Options{})
	ana := w.customer(anaNumber, wasim.HiddenNumber())
	w.customer(bobNumber)
	w.shut()
	w.inStore(func(s *store.Store) { // as servers without LIDs answer
		for _, query := range []string{anaNumber, "551188880001"} {
			w.must(s.Cache.PutRecipient(w.ctx(), cache.Recipient{Query: query, Found: true, ExpiresAt: time.Now().Add(time.Hour),
				Chat: recipient.Chat{JID: anaNumber + "@s.whatsapp.net"}}))
		}
	})
	w.start()
	w.pair("shop", shopNumber)
	w.writes(ana, "hello")
	w.fault(wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageMessage, Account: shopNumber}, Times: 1,
		Action: wasim.Fault{AckError: &wasim.AckError{Code: 463}}})
	problemOf(t, w.execute(client.Request{Operation: send.OpText, Input: raw(t, textTo(anaNumber)), Key: "refused"}, nil))
	if m := w.message(obj{"key": "refused"}); m.State != "failed" || m.Chat.LID == nil || *m.Chat.LID != ana.LID().String() {
		t.Errorf("refused: %+v", m)
	}
	if p := problemOf(t, w.call(send.OpText, textTo(bobNumber), nil)); p.Code != send.CodePaused {
		t.Errorf("to a stranger: %+v", p)
	}
	var out send.Output
	w.must(w.call(send.OpText, textTo(anaNumber), &out))
	if out.Chat.JID != ana.LID().String() {
		t.Errorf("the reply went to %+v", out.Chat)
	}
}
