package wasim

import (
	"net/http"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim/internal/jsonapi"
)

const (
	maxStanzaPage = 1_000
	maxXML        = 8 << 10 // bytes of one stanza's text
)

// stanzaView is a recorded stanza in the control API.
type stanzaView struct {
	Seq       int64     `json:"seq"`
	Time      time.Time `json:"time"`
	Direction Direction `json:"direction"`
	Device    string    `json:"device,omitempty"`
	XML       string    `json:"xml"`
}

// recordView says what became of a message.
type recordView struct {
	ID         string         `json:"id"`
	Attempts   []attemptView  `json:"attempts"`
	Deliveries []deliveryView `json:"deliveries"`
	Receipts   []receiptView  `json:"receipts"`
}

type attemptView struct {
	Time  time.Time `json:"time"`
	From  string    `json:"from"`
	To    string    `json:"to"`
	Retry bool      `json:"retry,omitempty"`
	Error int       `json:"error,omitempty"`
	Biz   int       `json:"biz"`
}

type deliveryView struct {
	Time    time.Time `json:"time"`
	To      string    `json:"to"`
	Offline bool      `json:"offline,omitempty"`
}

type receiptView struct {
	Time time.Time `json:"time"`
	From string    `json:"from"`
	Type string    `json:"type"`
}

func (s *Server) recordEndpoints() []jsonapi.Endpoint {
	return []jsonapi.Endpoint{
		{Method: "GET", Path: "stanzas", Summary: "recorded stanzas, newest last; filter with ?direction=in|out&tag=message&number=…&limit=…",
			Curl: `'$SIM/stanzas?direction=in&tag=message&limit=20'`, Handle: s.listStanzas},
		{Method: "GET", Path: "messages/{id}", Summary: "what became of a message id: attempts, deliveries, receipts",
			Curl: "$SIM/messages/3EB0…", Handle: s.showRecord},
		{Method: "GET", Path: "state", Summary: "where clients connect and what they trust; media counters, lost stanzas and queries the server did not know", Curl: "$SIM/state",
			Handle: func(*jsonapi.Request) (any, error) {
				return struct {
					URL       string         `json:"url"`
					RootKey   string         `json:"rootKey"`
					Media     MediaStats     `json:"media"`
					Lost      int64          `json:"lost"`
					Unhandled map[string]int `json:"unhandled"`
				}{s.URL(), s.RootKey(), s.Media(), s.Lost(), s.Unhandled()}, nil
			}},
	}
}

func (s *Server) listStanzas(r *jsonapi.Request) (any, error) {
	q, err := r.Query("direction", "tag", "number", "limit")
	if err != nil {
		return nil, err
	}
	limit, err := jsonapi.Count("limit", q["limit"], maxStanzaPage)
	if err != nil {
		return nil, err
	}
	var user string
	if q["number"] != "" {
		if user, err = digits(q["number"]); err != nil {
			return nil, err
		}
	}
	if d := Direction(q["direction"]); d != "" && d != In && d != Out {
		return nil, jsonapi.Refuse(http.StatusBadRequest, "direction must be %q or %q", In, Out)
	}
	all := s.Stanzas(func(st Stanza) bool {
		return (q["direction"] == "" || st.Direction == Direction(q["direction"])) &&
			(q["tag"] == "" || st.Node.Tag == q["tag"]) && (user == "" || st.Device.User == user)
	})
	views := []stanzaView{}
	for _, st := range all[max(0, len(all)-limit):] {
		v := stanzaView{Seq: st.Seq, Time: st.Time, Direction: st.Direction, XML: st.Node.String()}
		if !st.Device.IsEmpty() {
			v.Device = st.Device.String()
		}
		if len(v.XML) > maxXML {
			v.XML = v.XML[:maxXML] + "…"
		}
		views = append(views, v)
	}
	return views, nil
}

func (s *Server) showRecord(r *jsonapi.Request) (any, error) {
	rec, ok := s.Record(r.PathValue("id"))
	if !ok {
		return nil, jsonapi.Refuse(http.StatusNotFound, "no message of this id was sent, or it was so long ago that its record made room")
	}
	v := recordView{ID: rec.ID, Attempts: []attemptView{}, Deliveries: []deliveryView{}, Receipts: []receiptView{}}
	for _, a := range rec.Attempts {
		v.Attempts = append(v.Attempts, attemptView{a.Time, a.From.String(), a.To.String(), a.Retry, a.Error, a.Biz()})
	}
	for _, d := range rec.Deliveries {
		v.Deliveries = append(v.Deliveries, deliveryView{d.Time, d.To.String(), d.Offline})
	}
	for _, rc := range rec.Receipts {
		v.Receipts = append(v.Receipts, receiptView{rc.Time, rc.From.String(), rc.Type})
	}
	return v, nil
}
