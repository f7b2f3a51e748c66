package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk"
)

func (n *node) buttonClick() sdk.Offer {
	return sdk.Trigger{
		ID: opButtonClick, Title: "When a button is clicked", Icon: "mouse-pointer-click",
		Summary: "Starts on every tap on a REPLY button of a menu this node sent.",
		Filter:  schemas.Read(schemas.ButtonClickFilter),
		Events:  []sdk.EventType{clickEvent()},
		Ports:   []sdk.Port{{ID: "out", Label: "Clicked"}},
		Open: func(ctx context.Context, s sdk.Subscription) (sdk.Reader, error) {
			return openReader[clickFilter](ctx, n.process.Load().store, eventClicked, s)
		},
	}
}

func (n *node) messageReceived() sdk.Offer {
	return sdk.Trigger{
		ID: opMessageReceived, Title: "When a message arrives", Icon: "message-circle",
		Summary: "Starts on every message of a customer that is not a click.",
		Filter:  schemas.Read(schemas.MessageReceivedFilter),
		Events:  []sdk.EventType{messageEvent()},
		Ports:   []sdk.Port{{ID: "out", Label: "Received"}},
		Open: func(ctx context.Context, s sdk.Subscription) (sdk.Reader, error) {
			return openReader[messageFilter](ctx, n.process.Load().store, eventReceived, s)
		},
	}
}

// clickFilter is whatsapp.buttonClick.filter.json.
type clickFilter struct {
	Only         []string `json:"instances"`
	Chats        string   `json:"chats"`
	ButtonIDs    []string `json:"buttonIds"`
	Sources      []string `json:"sources"`
	UnknownMenus bool     `json:"unknownMenus"`
}

func (f clickFilter) instances() []string { return f.Only }

func (f clickFilter) selects(data []byte) (bool, error) {
	var c clicks.Clicked
	if err := json.Unmarshal(data, &c); err != nil {
		return false, fmt.Errorf("read a stored click: %w", err)
	}
	source := ""
	if c.Menu != nil {
		source = c.Menu.Source
	}
	return (c.Menu != nil || f.UnknownMenus) && chatSelected(f.Chats, c.Chat.Type) &&
		listed(f.ButtonIDs, c.Button.ID) && listed(f.Sources, source), nil
}

// messageFilter is whatsapp.messageReceived.filter.json.
type messageFilter struct {
	Only     []string `json:"instances"`
	Chats    string   `json:"chats"`
	Kinds    []string `json:"kinds"`
	Keywords []string `json:"keywords"`
}

func (f messageFilter) instances() []string { return f.Only }

func (f messageFilter) selects(data []byte) (bool, error) {
	var m clicks.MessageReceived
	if err := json.Unmarshal(data, &m); err != nil {
		return false, fmt.Errorf("read a stored message: %w", err)
	}
	said := buttons.FoldLabel(m.Text)
	return chatSelected(f.Chats, m.Chat.Type) && listed(f.Kinds, string(m.Kind)) &&
		(len(f.Keywords) == 0 || slices.ContainsFunc(f.Keywords, func(k string) bool { return buttons.FoldLabel(k) == said })), nil
}

func chatSelected(want, is string) bool { return want == "" || want == "any" || want == is }

func listed(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }

// filter is what a subscription wants beyond its type of event.
type filter interface {
	instances() []string
	selects(data []byte) (bool, error)
}

// batch is how many events are read from the store at once.
const batch = 100

// reader reads the store's event log for one subscriber.
type reader[F filter] struct {
	store      *store.Store
	subscriber string
	select1    F
	filter     store.Filter
	cursor     []byte
	resumed    bool
	ahead      []store.Event // read and not yet given
}

func openReader[F filter](ctx context.Context, s *store.Store, kind string, sub sdk.Subscription) (sdk.Reader, error) {
	r := &reader[F]{store: s, subscriber: sub.Operation + "/" + sub.Subscriber}
	if len(sub.Filter) > 0 {
		if err := json.Unmarshal(sub.Filter, &r.select1); err != nil {
			return nil, fmt.Errorf("read the filter: %w", err)
		}
	}
	r.filter = store.Filter{Types: []string{kind}, Instances: r.select1.instances()}
	var err error
	r.cursor, r.resumed, err = s.Subscribe(ctx, r.subscriber, r.filter, sub.Cursor)
	if errors.Is(err, store.ErrCursor) {
		return nil, sdk.Invalid(sdk.Violation{Pointer: "/cursor", Code: "cursor", Message: err.Error()})
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Resumed is false when events after the cursor are gone.
func (r *reader[F]) Resumed() bool { return r.resumed }

// Next waits for the next event that the filter selects.
func (r *reader[F]) Next(ctx context.Context) (sdk.Event, error) {
	for {
		changed := r.store.Changed()
		if len(r.ahead) == 0 {
			var err error
			if r.ahead, err = r.store.Read(ctx, r.cursor, r.filter, batch); err != nil {
				return sdk.Event{}, err
			}
		}
		for len(r.ahead) > 0 {
			e := r.ahead[0]
			r.ahead, r.cursor = r.ahead[1:], e.Cursor
			ok, err := r.select1.selects(e.Data)
			if err != nil {
				return sdk.Event{}, err
			}
			if ok {
				return sdk.Event{
					ID: e.ID, Type: e.Type, Subject: e.Subject, Time: e.Time,
					Data: e.Data, Cursor: e.Cursor, Correlation: e.Correlation,
				}, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return sdk.Event{}, ctx.Err()
		}
	}
}

// Ack lets the store forget what the host has stored.
func (r *reader[F]) Ack(ctx context.Context, cursor []byte) error {
	return r.store.Ack(ctx, r.subscriber, cursor)
}

// Close has nothing to release: the subscription stays until the host resumes it or
// its retention ends.
func (r *reader[F]) Close() error { return nil }
