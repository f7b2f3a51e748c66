package v1

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/tapnode/tapnode/host/internal/events"
)

const (
	typeClicked = "whatsapp.button.clicked.v1"
	// lookAt is how many events one read of the outbox examines, and maxLooks how many reads are spent
	// on filling a page.
	lookAt   = 500
	maxLooks = 20
)

type clickQuery struct {
	Instance string `query:"instance" doc:"Of this instance."`
	Message  string `query:"message" doc:"On the menu that this message was: its id."`
	Button   string `query:"button" doc:"On the button with this id."`
	After    uint64 `query:"after" doc:"What the page before said as next."`
	Limit    int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many at most."`
	Reveal   bool   `query:"reveal" doc:"With who tapped. The token must allow it."`
}

// click is the listed part of a tap's event; schemas/whatsapp.button.clicked.v1.json has all of it.
type click struct {
	Sequence  uint64          `json:"sequence" doc:"Of the event, as in GET /v1/events."`
	ID        string          `json:"id" doc:"Of the event: the same wherever it is told."`
	Instance  string          `json:"instance"`
	MessageID string          `json:"messageId" doc:"Of the tap itself."`
	ClickedAt time.Time       `json:"clickedAt"`
	MatchedBy string          `json:"matchedBy" doc:"How the menu was found: quote, chat or text."`
	Button    json.RawMessage `json:"button" doc:"id, displayText and index."`
	Menu      json.RawMessage `json:"menu" doc:"messageId, sentAt, source and correlation of the menu; null when none was found."`
	Click     json.RawMessage `json:"click,omitempty" doc:"first, n and lateByMs: whether it is the first on its menu, and how late."`
	Chat      json.RawMessage `json:"chat,omitempty" doc:"With reveal=true."`
	Sender    json.RawMessage `json:"sender,omitempty" doc:"With reveal=true."`
}

type clickList struct {
	Clicks []click `json:"clicks" nullable:"false"`
	more
}

// clicks serves the taps of the last days that the outbox still keeps.
func (a *API) clicks(s *events.Service) {
	serve(a, route{
		method: http.MethodGet, path: "/v1/clicks", id: "listClicks", tag: "events", summary: "Who tapped which button, the oldest that is kept first",
		about:  "Clicks are kept for three days. A page may be shorter than limit, or empty, before the end. To hear of each as it comes, read GET /v1/events?type=" + typeClicked + ".",
		access: Access{Read, Any}, refusals: []int{http.StatusForbidden, http.StatusServiceUnavailable},
	}, func(ctx context.Context, in *clickQuery) (*one[clickList], error) {
		reveal, err := a.revealed(ctx, in.Reveal)
		if err != nil {
			return nil, err
		}
		want := events.Filter{Types: []string{typeClicked}, Instances: a.caller(ctx).Instances}
		if want.Instances != nil && len(want.Instances) == 0 { // the filter would take an empty list for all instances
			return nil, refuse(http.StatusForbidden, "forbidden", "the token is of no instance")
		}
		if in.Instance != "" {
			if !a.caller(ctx).may(in.Instance) {
				return nil, refuse(http.StatusForbidden, "forbidden", "the token is not one for this instance", fault{Parameter: "instance", Code: "forbidden", Message: "it must be an instance of the token"})
			}
			want.Instances = []string{in.Instance}
		}
		out := clickList{Clicks: []click{}}
		at := in.After
		for looks := 1; ; looks++ {
			page, err := s.Read(ctx, at, want, lookAt)
			if err != nil {
				return nil, a.unread(err)
			}
			if page.Next == at { // the end
				return &one[clickList]{out}, a.known(ctx, s, at)
			}
			for _, ev := range page.Events {
				at = ev.Position
				if c, ok := clickOf(ev, in, reveal); ok {
					out.Clicks = append(out.Clicks, c)
				}
				if len(out.Clicks) == in.Limit {
					out.Next = strconv.FormatUint(at, 10)
					return &one[clickList]{out}, nil
				}
			}
			if at = page.Next; looks == maxLooks {
				out.Next = strconv.FormatUint(at, 10)
				return &one[clickList]{out}, nil
			}
		}
	})
}

// known refuses a position beyond the newest in the outbox: it is from another database, and the caller
// would wait in vain for what follows it.
func (a *API) known(ctx context.Context, s *events.Service, position uint64) error {
	newest, err := s.Newest(ctx)
	if err != nil {
		return a.unread(err)
	}
	if position > newest {
		return refuse(http.StatusBadRequest, "unknown_position", "there is no click at this position: it comes from another database; start again without it",
			fault{Parameter: "after", Code: "unknown_position", Message: "it must be what a page of this host said as next"})
	}
	return nil
}

// clickOf returns an event as a click, and whether it matches the query.
func clickOf(ev events.Event, in *clickQuery, reveal bool) (click, bool) {
	var told struct {
		Button struct {
			ID string `json:"id"`
		} `json:"button"`
		Menu *struct {
			MessageID string `json:"messageId"`
		} `json:"menu"`
	}
	c := click{}
	if json.Unmarshal(ev.Data, &told) != nil || json.Unmarshal(ev.Data, &c) != nil {
		return click{}, false
	}
	if in.Button != "" && told.Button.ID != in.Button || in.Message != "" && (told.Menu == nil || told.Menu.MessageID != in.Message) {
		return click{}, false
	}
	c.Sequence, c.ID, c.Instance = ev.Position, ev.ID, ev.Instance
	if !reveal {
		c.Chat, c.Sender = nil, nil
	}
	return c, true
}
