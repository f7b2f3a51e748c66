package wasim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim/internal/jsonapi"
)

const (
	watchBeat     = 15 * time.Second // after this much silence a watcher is sent a heartbeat
	watchPatience = 10 * time.Second // how long a watcher may take for one event
	maxWatched1st = 1_000            // most messages of one phone at the start of a stream
)

// stir wakes the watchers of the server.
func (s *Server) stir() {
	s.stirring.Lock()
	defer s.stirring.Unlock()
	if s.stirred != nil {
		close(s.stirred)
		s.stirred = nil
	}
}

// nextStir returns a channel that is closed at the next change that a watcher sees.
func (s *Server) nextStir() <-chan struct{} {
	s.stirring.Lock()
	defer s.stirring.Unlock()
	if s.stirred == nil {
		s.stirred = make(chan struct{})
	}
	return s.stirred
}

// The events of a stream.
type (
	openedEvent struct {
		Simulator string `json:"simulator"` // changes with every restart
	}
	accountEvent struct {
		Number string `json:"number"`
		Name   string `json:"name"`
	}
	groupEvent struct {
		JID     string   `json:"jid"`
		Subject string   `json:"subject"`
		Members []string `json:"members"`
		Seconds uint32   `json:"disappearing,omitempty"`
	}
	phoneEvent struct {
		Number       string            `json:"number"`
		Name         string            `json:"name"`
		Online       bool              `json:"online"`
		ReadReceipts bool              `json:"readReceipts"`
		Disappearing map[string]uint32 `json:"disappearing,omitempty"` // seconds, by chat
		Typing       []string          `json:"typing,omitempty"`       // chats whose other side is typing
	}
	messageEvent struct {
		Phone string `json:"phone"`
		messageView
		Status  string     `json:"status,omitempty"` // of messages the phone sent: waiting, failed, sent, delivered, read
		Read    bool       `json:"read,omitempty"`
		Expires *time.Time `json:"expires,omitempty"`
	}
)

// watcher is one reader of what the simulated people see. It is sent the current state, not every intermediate step, so
// a slow reader misses no lasting change and nothing is queued for it.
type watcher struct {
	s     *Server
	out   *jsonapi.Events
	limit int
	told  map[string]string // the state last sent of each account, group and phone
	seen  map[*Phone]int    // the last change of each phone that was sent
}

func (s *Server) watch(r *jsonapi.Request) (any, error) {
	q, err := r.Query("limit")
	if err != nil {
		return nil, err
	}
	limit, err := jsonapi.Count("limit", q["limit"], maxWatched1st)
	if err != nil {
		return nil, err
	}
	return jsonapi.Answer(func(w http.ResponseWriter) {
		watch := watcher{s, jsonapi.NewEvents(w, watchPatience), limit, map[string]string{}, map[*Phone]int{}}
		beat := time.NewTicker(watchBeat)
		defer beat.Stop()
		ok := watch.out.Send("opened", openedEvent{s.id})
		for first := true; ok; first = false {
			stirred := s.nextStir() // before looking, so that a change made meanwhile wakes the watcher
			ok = watch.look() && (!first || watch.out.Send("ready", struct{}{}))
			if !ok {
				return
			}
			select {
			case <-stirred:
			case <-beat.C:
				ok = watch.out.Beat()
			case <-r.Context().Done():
				return
			case <-s.ctx.Done():
				return
			}
		}
	}), nil
}

// look sends what is new. It returns false when the reader is gone.
func (w *watcher) look() bool {
	s := w.s
	s.mu.RLock()
	accounts := make([]*Account, 0, len(s.lids))
	for _, a := range s.lids {
		accounts = append(accounts, a)
	}
	phones := make(map[*Account]*Phone, len(s.phones))
	for p := range s.phones {
		phones[p.account] = p
	}
	groups := make([]*Group, 0, len(s.groups))
	for _, g := range s.groups {
		groups = append(groups, g)
	}
	s.mu.RUnlock()
	slices.SortFunc(accounts, func(a, b *Account) int { return cmp.Compare(a.made, b.made) })
	slices.SortFunc(groups, func(a, b *Group) int { return strings.Compare(a.jid.User, b.jid.User) })
	for _, a := range accounts {
		if p := phones[a]; p != nil {
			if !w.lookAt(p) {
				return false
			}
		} else if phone := a.device(0); phone != nil && phone.played && !w.tell("account", a.phone, accountEvent{a.phone, a.name()}) {
			return false
		}
	}
	for _, g := range groups {
		e := groupEvent{g.jid.String(), g.subject, []string{}, g.timer.Load()}
		for _, a := range *g.members.Load() {
			e.Members = append(e.Members, a.phone)
		}
		if !w.tell("group", e.JID, e) {
			return false
		}
	}
	return true
}

// lookAt sends what is new on a phone: its state, then its messages in the order of their last change.
func (w *watcher) lookAt(p *Phone) bool {
	since, known := w.seen[p]
	p.mu.Lock()
	if known && since == p.changes {
		p.mu.Unlock()
		return true
	}
	w.seen[p] = p.changes
	e := phoneEvent{Number: p.account.phone, Online: !p.away, ReadReceipts: !p.secret}
	timers := map[string]uint32{}
	for chat, t := range p.timers {
		timers[chat.String()] = t.seconds
	}
	for chat, typing := range p.typing {
		if typing {
			e.Typing = append(e.Typing, chat.String())
		}
	}
	var news []Message
	for _, list := range [][]*Message{p.inbox, p.own} {
		for _, m := range list {
			if m.change > since {
				news = append(news, m.copy())
			}
		}
	}
	p.mu.Unlock()
	e.Name = p.account.name()
	e.Disappearing = make(map[string]uint32, len(timers))
	for chat, seconds := range timers {
		e.Disappearing[w.s.nameOfText(chat)] = seconds
	}
	for i, chat := range e.Typing {
		e.Typing[i] = w.s.nameOfText(chat)
	}
	slices.Sort(e.Typing)
	slices.SortFunc(news, func(a, b Message) int { return cmp.Compare(a.order, b.order) })
	if !w.tell("phone", e.Number, e) {
		return false
	}
	for _, m := range news[max(0, len(news)-w.limit):] {
		view := messageEvent{Phone: e.Number, messageView: w.s.viewMessage(m), Status: m.status, Read: m.read}
		if !m.expires.IsZero() {
			view.Expires = &m.expires
		}
		if !w.out.Send("message", view) {
			return false
		}
	}
	return true
}

// tell sends the state of something, unless the same state was sent last.
func (w *watcher) tell(kind, name string, value any) bool {
	raw, err := json.Marshal(value)
	if err != nil {
		return false // unreachable: the values hold only strings and numbers
	}
	key := fmt.Sprint(kind, " ", name)
	if w.told[key] == string(raw) {
		return true
	}
	w.told[key] = string(raw)
	return w.out.Send(kind, json.RawMessage(raw))
}
