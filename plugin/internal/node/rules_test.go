package node

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// team is a world with a group of the shop and some customers.
func team(t *testing.T, options ...[]wasim.Option) (*world, string, []*wasim.Phone) {
	w := newWorld(t, wasim.Options{})
	members := []*wasim.Account{w.pair("shop", shopNumber)}
	var phones []*wasim.Phone
	for i, o := range options {
		p := w.customer(fmt.Sprint(5511988880001+i), o...)
		phones, members = append(phones, p), append(members, p.Account())
	}
	g, err := w.sim.NewGroup("Team", members...)
	w.must(err)
	return w, g.JID().String(), phones
}

// rules is a menu with rules.
func rules(to string, menu obj) obj {
	m := menuTo(to)
	m["menu"] = menu
	return m
}

// verdict is the result of a click: "" means accepted.
func verdict(c clicks.Clicked) string {
	if c.Click.Refused == nil {
		return ""
	}
	return *c.Click.Refused
}

// TestPolicies: two members of a group press, twice each.
func TestPolicies(t *testing.T) {
	t.Parallel()
	w, group, phones := team(t, nil, []wasim.Option{wasim.HiddenNumber()})
	sub := w.subscribe(opButtonClick, everything)
	ana, bob := phones[0], phones[1]
	for _, tc := range []struct {
		menu obj
		want string // of Ana, Bob, Ana, Bob
	}{
		{obj{}, "1, 2, 3, 4"},
		{obj{"policy": "all"}, "1, 2, 3, 4"},
		{obj{"policy": "first"}, "1, taken, taken, taken"},
		{obj{"policy": "oncePerPerson"}, "1, 2, repeated, repeated"},
		{obj{"allowedSenders": []string{anaNumber}}, "1, not_allowed, 2, not_allowed"},
		{obj{"allowedSenders": []string{"+55 (11) 98888-0002"}, "policy": "first"}, "not_allowed, 1, not_allowed, taken"},
		{obj{"allowedSenders": []string{bob.LID().String()}}, "not_allowed, 1, not_allowed, 2"},
	} {
		m := w.ask(rules(group, tc.menu), ana)
		_, err := bob.WaitID(w.ctx(), m.ID)
		w.must(err)
		var got []string
		for i, phone := range []*wasim.Phone{ana, bob, ana, bob} {
			_, err := phone.Click(w.ctx(), m, "sales", "")
			w.must(err)
			var c clicks.Clicked
			e := w.next(sub, &c)
			if refused := verdict(c) != ""; refused != (e.Correlation == "") || c.Menu == nil || c.Menu.MessageID != m.ID || c.Click.First != (c.Click.N == 1) {
				t.Errorf("%v, press %d: correlation %q, %+v", tc.menu, i, e.Correlation, c)
			}
			if c.Sender.JID != phone.LID().String() || c.Chat.JID != group {
				t.Errorf("%v, press %d: from %+v in %+v", tc.menu, i, c.Sender, c.Chat)
			}
			if verdict(c) != "" {
				got = append(got, verdict(c))
				continue
			}
			got = append(got, fmt.Sprint(c.Click.N))
		}
		if strings.Join(got, ", ") != tc.want {
			t.Errorf("%v: %s, want %s", tc.menu, strings.Join(got, ", "), tc.want)
		}
	}
}

// TestRefusedClicksAreAskedFor: only a subscriber that asks for refused clicks gets them.
func TestRefusedClicksAreAskedFor(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	usual := w.subscribe(opButtonClick, nil)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	curious, err := w.node.Subscribe(ctx, client.Start{Operation: opButtonClick, Subscriber: "curious", Filter: raw(t, obj{"refused": true})})
	w.must(err)
	once, all := w.ask(rules(anaNumber, obj{"policy": "first"}), ana), w.ask(menuTo(anaNumber), ana)
	var presses []string
	for _, m := range []wasim.Message{once, once, all} {
		id, err := ana.Click(w.ctx(), m, "sales", "")
		w.must(err)
		presses = append(presses, id)
	}
	for sub, want := range map[*client.Subscription][]string{usual: {presses[0], presses[2]}, curious: presses} {
		var got []string
		for range want {
			var c clicks.Clicked
			w.next(sub, &c)
			got = append(got, c.MessageID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

// TestWordsAndRules: words that a menu does not accept as a click stay words, and answer it only if
// they come from people that it allows.
func TestWordsAndRules(t *testing.T) {
	t.Parallel()
	w, group, phones := team(t, nil, nil)
	clicked, received := w.subscribe(opButtonClick, everything), w.subscribe(opMessageReceived, nil)
	ana, bob := phones[0], phones[1]
	m := w.ask(rules(group, obj{"policy": "first", "allowedSenders": []string{anaNumber}}), ana)
	_, err := bob.WaitID(w.ctx(), m.ID)
	w.must(err)

	say := func(p *wasim.Phone, words string) {
		t.Helper()
		label := m
		label.Buttons = []wasim.Button{{Type: wasim.ButtonReply, ID: "sales", DisplayText: words}}
		_, err := p.Click(w.ctx(), label, "sales", wasim.ShapeText) // words that quote the menu
		w.must(err)
	}
	var r clicks.MessageReceived
	say(bob, "Talk to sales")
	if e := w.next(received, &r); r.Menu != nil || e.Correlation != "" || r.Text != "Talk to sales" {
		t.Errorf("a stranger's label: %+v", r)
	}
	say(bob, "No way!")
	if e := w.next(received, &r); r.Menu != nil || e.Correlation != "" {
		t.Errorf("a stranger's words: %+v", r)
	}
	say(ana, "Hm")
	if e := w.next(received, &r); r.Menu == nil || e.Correlation == "" {
		t.Errorf("words of one who may answer: %+v", r)
	}
	var c clicks.Clicked
	say(ana, "Talk to sales")
	if w.next(clicked, &c); verdict(c) != "" || c.MatchedBy != clicks.ByText || !c.Click.First {
		t.Errorf("the label of one who may answer: %+v", c)
	}
	say(ana, "Support") // the menu has accepted its one click
	if w.next(received, &r); r.Text != "Support" {
		t.Errorf("a second label: %+v", r)
	}
}

func TestAllowedSendersExist(t *testing.T) {
	t.Parallel()
	w, _ := shop(t, wasim.Options{})
	p := problemOf(t, w.call(send.OpButtons, rules(anaNumber, obj{"allowedSenders": []string{anaNumber, "5511977770000"}}), nil))
	if len(p.Violations) != 1 || p.Violations[0].Pointer != "/menu/allowedSenders/1" || p.Effect != "NONE" ||
		p.Violations[0].Message != "Menu: AllowedSender 2: the number is not on WhatsApp" {
		t.Errorf("problem = %+v", p)
	}
}

// later simulates the passing of time: it stops the node, moves the stored times of its menus into
// the past, and starts it again with empty caches.
func (w *world) later(d time.Duration) {
	w.t.Helper()
	w.shut()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.dir, "store", "tapnode.db")+"?_pragma=busy_timeout(10000)")
	w.must(err)
	_, err = db.ExecContext(w.ctx(), `UPDATE tapnode_menus SET sent_at = sent_at - $1, created_at = created_at - $1,
		expires_at = CASE WHEN expires_at = 0 THEN 0 ELSE expires_at - $1 END`, d.Milliseconds())
	w.must(err)
	w.must(db.Close())
	w.start()
}

// TestLateClicks: days and restarts later a click still finds its menu, and the menu's rules still
// apply.
func TestLateClicks(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	const day = 24 * time.Hour
	forever := w.ask(menuTo(anaNumber), ana)
	week := w.ask(rules(anaNumber, obj{"expiresIn": 7 * 24 * 3600, "policy": "oncePerPerson"}), ana)

	w.later(6 * day)
	_, err := ana.Click(w.ctx(), week, "sales", "") // the node is offline: the click waits for it
	w.must(err)
	w.must(w.call("whatsapp.instance.connect@1", named{"shop"}, nil))
	sub := w.subscribe(opButtonClick, everything)
	var c clicks.Clicked
	e := w.next(sub, &c)
	if verdict(c) != "" || c.Menu.MessageID != week.ID || e.Correlation == "" || !c.Click.First || c.Click.LateByMs != 0 {
		t.Errorf("within the week: %+v", c)
	}
	if age := c.ClickedAt.Sub(c.Menu.SentAt); age < 6*day || age > 7*day {
		t.Errorf("the menu is %v old", age)
	}

	w.later(2 * day)
	w.must(w.call("whatsapp.instance.connect@1", named{"shop"}, nil))
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	sub, err = w.node.Subscribe(ctx, client.Start{Operation: opButtonClick, Subscriber: "test", Filter: raw(t, everything), Cursor: e.Cursor})
	w.must(err)
	_, err = ana.Click(w.ctx(), week, "sales", "")
	w.must(err)
	if e := w.next(sub, &c); verdict(c) != "expired" || c.Menu.MessageID != week.ID || e.Correlation != "" || c.Click.N != 0 ||
		time.Duration(c.Click.LateByMs)*time.Millisecond < day-time.Minute || time.Duration(c.Click.LateByMs)*time.Millisecond > day+time.Hour {
		t.Errorf("after the week: correlation %q, %+v", e.Correlation, c)
	}
	// Without a quote only live menus are considered, so nothing is ambiguous.
	_, err = ana.Click(w.ctx(), week, "sales", "", wasim.NoQuote())
	w.must(err)
	if e := w.next(sub, &c); c.Menu.MessageID != forever.ID || c.MatchedBy != clicks.ByChat || c.Ambiguous || verdict(c) != "" || e.Correlation == "" {
		t.Errorf("on the menu without an end: %+v", c)
	}
}
