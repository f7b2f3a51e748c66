package node

import (
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// left counts the messages that reached the server.
func (w *world) left() int {
	return len(w.sim.Stanzas(func(s wasim.Stanza) bool {
		return s.Direction == wasim.In && s.Node.Tag == "message" && s.Device.User == shopNumber
	}))
}

func textTo(number string) obj { return obj{"instance": "shop", "number": number, "contentText": "hi"} }

// paused returns the pause in instance.list.
func (w *world) paused() *pausedOutput {
	w.t.Helper()
	var all allInstances
	w.must(w.call("whatsapp.instance.list@1", nil, &all))
	return all.Instances[0].NewContacts
}

// TestRefusedNewChatsPause: after 463 and 475 nothing is sent to people who have not written first,
// in this process and the next; replies and groups are sent.
func TestRefusedNewChatsPause(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ack    int
		reason string
		until  func(from time.Time) time.Time
	}{
		{463, "new_chats_locked", func(from time.Time) time.Time { return from.Add(24 * time.Hour) }},
		{475, "new_chats_capped", func(from time.Time) time.Time {
			y, m, _ := from.UTC().Date()
			return time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)
		}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w, ana := shop(t, wasim.Options{})
			bob := w.customer(bobNumber)
			team, err := w.sim.NewGroup("Team", w.sim.Account(shopNumber), bob.Account())
			w.must(err)
			v := w.watch()
			w.writes(ana, "hello")
			w.fault(wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageMessage, Recipient: bobNumber}, Times: 1,
				Action: wasim.Fault{AckError: &wasim.AckError{Code: c.ack}}})
			began := time.Now()
			refused := client.Request{Operation: send.OpText, Input: raw(t, textTo(bobNumber)), Key: "refused"}
			if p := problemOf(t, w.execute(refused, nil)); p.Code != "send_failed" || p.Retryable {
				t.Errorf("the refused one: %+v", p)
			}
			if h := v.until(t, w.ctx(), send.CodePaused, reason(send.CodePaused)); h.State != sdk.Degraded || h.Message == "" {
				t.Errorf("health = %+v", h)
			}
			for _, restarted := range []bool{false, true} {
				if restarted {
					w.shut()
					w.start()
					w.must(w.call("whatsapp.instance.connect@1", named{"shop"}, nil))
				}
				pause := w.paused()
				if pause == nil || pause.Reason != c.reason || pause.Until.Sub(c.until(began)).Abs() > time.Minute {
					t.Fatalf("restarted %v: paused %+v", restarted, pause)
				}
				before := w.left()
				p := problemOf(t, w.call(send.OpButtons, menuTo(bobNumber), nil))
				if p.Code != send.CodePaused || p.HTTPStatus != 429 || p.Effect != sdk.EffectNone || !p.Retryable || p.RetryAfter <= 0 {
					t.Errorf("restarted %v: problem = %+v", restarted, p)
				}
				if n := w.left() - before; n != 0 {
					t.Errorf("restarted %v: %d messages left", restarted, n)
				}
				w.must(w.call(send.OpButtons, menuTo(anaNumber), nil))
				w.must(w.call(send.OpText, textTo(team.JID().String()), nil))
			}
			var one oneInstance
			w.must(w.call("whatsapp.instance.resumeNewContacts@1", named{"shop"}, &one))
			if one.Instance.NewContacts != nil || w.paused() != nil {
				t.Error("the pause is still on")
			}
			w.must(w.call(send.OpText, textTo(bobNumber), nil))
		})
	}
}

// TestTimelock: WhatsApp's own notification begins a pause, sets its end, and ends it.
func TestTimelock(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	v := w.watch()
	v.until(t, w.ctx(), "healthy", healthy)
	until := time.Now().Add(3 * time.Hour).Truncate(time.Second)
	account := w.sim.Account(shopNumber)
	account.LockNewChats(until)
	v.until(t, w.ctx(), send.CodePaused, reason(send.CodePaused))
	if pause := w.paused(); pause == nil || !pause.Until.Equal(until) {
		t.Errorf("paused %+v, want until %v", pause, until)
	}
	if p := problemOf(t, w.call(send.OpText, textTo(anaNumber), nil)); p.Code != send.CodePaused || p.RetryAfter > 3*time.Hour {
		t.Errorf("problem = %+v", p)
	}
	w.writes(ana, "hello") // from now on it is a reply, and 463 does not shorten what WhatsApp said
	w.fault(wasim.FaultRule{Match: toAna, Times: 1, Action: wasim.Fault{AckError: &wasim.AckError{Code: 463}}})
	problemOf(t, w.call(send.OpText, textTo(anaNumber), nil))
	if pause := w.paused(); pause == nil || !pause.Until.Equal(until) {
		t.Errorf("paused %+v, want until %v", pause, until)
	}
	account.LockNewChats(time.Time{})
	v.until(t, w.ctx(), "healthy", healthy)
	if w.paused() != nil {
		t.Error("the pause is still on")
	}
}

// TestPauseStopsWhatIsWaiting: messages that were accepted and wait for their turn are not sent if
// the message before them is refused.
func TestPauseStopsWhatIsWaiting(t *testing.T) {
	t.Parallel()
	w, _ := shop(t, wasim.Options{})
	w.fault(wasim.FaultRule{Match: toAna, Action: wasim.Fault{Delay: wasim.FaultDuration(300 * time.Millisecond), AckError: &wasim.AckError{Code: 463}}})
	const calls = 4
	problems := make(chan *sdk.Problem, calls)
	for range calls {
		go func() { problems <- problemOf(t, w.call(send.OpText, textTo(anaNumber), nil)) }()
	}
	codes := map[string]int{}
	for range calls {
		codes[(<-problems).Code]++
	}
	if codes["send_failed"] != 1 || codes[send.CodePaused] != calls-1 || w.left() != 1 {
		t.Errorf("%d messages left, problems %v", w.left(), codes)
	}
}
