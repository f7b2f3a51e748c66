package v1

import (
	"context"
	"net/http"

	"github.com/tapnode/tapnode/host/internal/engine"
)

type lettersIn struct {
	After  string `query:"after" maxLength:"512" doc:"What the page before said as next."`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many at most."`
	Reveal bool   `query:"reveal" doc:"Show numbers and texts, which are masked otherwise. The token must allow it."`
}

type letterIn struct {
	Letter string `path:"letter" example:"d4mzq3v7q2m4n6p8s9w1y3z5a7"`
	Reveal bool   `query:"reveal" doc:"Show numbers and texts, which are masked otherwise. The token must allow it."`
}

type letterList struct {
	Letters []engine.DeadLetter `json:"deadLetters" nullable:"false"`
	more
}

type resent struct {
	Delivered bool     `json:"delivered" doc:"False: it stays, with the newest reason."`
	Answered  string   `json:"answered,omitempty" doc:"The run that took it as an answer."`
	Started   []string `json:"started,omitempty" doc:"The runs that it started."`
}

// letters serves the events that could not be delivered.
func (a *API) letters(e *engine.Engine) {
	serve(a, route{
		method: http.MethodGet, path: "/v1/deadletters", id: "listDeadLetters", tag: "dead letters", summary: "Events that could not be delivered, the newest first",
		access: Access{Right: Read},
	}, func(ctx context.Context, in *lettersIn) (*one[letterList], error) {
		reveal, err := a.revealed(ctx, in.Reveal)
		if err != nil {
			return nil, err
		}
		all, err := e.DeadLetters(ctx, in.After, in.Limit)
		if err != nil {
			return nil, a.refused(err)
		}
		out := letterList{Letters: make([]engine.DeadLetter, 0, len(all))}
		if len(all) == in.Limit {
			out.Next = all[in.Limit-1].ID
		}
		for _, l := range all {
			out.Letters = append(out.Letters, shownLetter(l, reveal))
		}
		return &one[letterList]{out}, nil
	})
	serve(a, route{
		method: http.MethodGet, path: "/v1/deadletters/{letter}", id: "getDeadLetter", tag: "dead letters", summary: "One of them",
		access: Access{Right: Read}, refusals: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *letterIn) (*one[engine.DeadLetter], error) {
		reveal, err := a.revealed(ctx, in.Reveal)
		if err != nil {
			return nil, err
		}
		l, err := e.DeadLetter(ctx, in.Letter)
		if err != nil {
			return nil, a.refused(err)
		}
		return &one[engine.DeadLetter]{shownLetter(l, reveal)}, nil
	})
	serve(a, route{
		method: http.MethodPost, path: "/v1/deadletters/{letter}/resend", id: "resendDeadLetter", tag: "dead letters", summary: "Deliver it again",
		access: Access{Right: Manage}, refusals: []int{http.StatusNotFound}, acts: always,
	}, func(ctx context.Context, in *struct {
		Letter string `path:"letter" example:"d4mzq3v7q2m4n6p8s9w1y3z5a7"`
	}) (*one[resent], error) {
		d, err := e.Resend(ctx, in.Letter)
		if err != nil {
			return nil, a.refused(err)
		}
		return &one[resent]{resent{!d.Dead, d.Answered, d.Started}}, nil
	})
	serve(a, route{
		method: http.MethodDelete, path: "/v1/deadletters/{letter}", id: "dropDeadLetter", tag: "dead letters", summary: "Forget it",
		access: Access{Right: Manage}, refusals: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *struct {
		Letter string `path:"letter" example:"d4mzq3v7q2m4n6p8s9w1y3z5a7"`
	}) (*struct{}, error) {
		return nil, a.refused(e.DropDeadLetter(ctx, in.Letter))
	})
}

func shownLetter(l engine.DeadLetter, reveal bool) engine.DeadLetter {
	if reveal {
		return l
	}
	return l.Masked()
}
