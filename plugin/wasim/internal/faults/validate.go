package faults

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

const (
	maxDelay     = time.Minute
	maxDuplicate = 10
	maxReorder   = 100
	maxText      = 256
)

var stages = []Stage{Handshake, Login, IQ, Message, Delivery, Media}

// member is one member of Action: whether it is set and at which stages it has an effect.
type member struct {
	name   string
	set    bool
	stages []Stage
}

func (a Action) members() []member {
	return []member{
		{"delay", a.Delay != 0, stages},
		{"ackError", a.AckError != nil, []Stage{Message}},
		{"dropAck", a.DropAck, []Stage{Message}},
		{"duplicate", a.Duplicate != 0, []Stage{Message, Delivery}},
		{"reorder", a.Reorder != 0, []Stage{Message}},
		{"dropDelivery", a.DropDelivery, []Stage{Message, Delivery}},
		{"corrupt", a.Corrupt, []Stage{Message, Delivery, Media}},
		{"iqError", a.IQError != nil, []Stage{IQ}},
		{"drop", a.Drop, []Stage{IQ, Login, Handshake}},
		{"httpStatus", a.HTTPStatus != 0, []Stage{Media}},
		{"loginFailure", a.LoginFailure != nil, []Stage{Login}},
		{"streamError", a.StreamError != nil, []Stage{IQ, Message, Login}},
		{"replaced", a.Replaced, []Stage{IQ, Message, Login}},
		{"logout", a.Logout, []Stage{IQ, Message}},
		{"disconnect", a.Disconnect != "", stages},
	}
}

// Validate reports the first member of the rule that is out of range or has no effect at its stage.
// The error is a *jsonstrict.Error.
func (r Rule) Validate() error {
	if err := r.Match.validate(); err != nil {
		return err
	}
	if r.Times < 0 {
		return jsonstrict.Errorf("/times", "must not be negative; leave it out for no limit")
	}
	if r.Match.Nth > 0 && r.Times > 1 {
		return jsonstrict.Errorf("/times", "a rule with nth fires once; leave times out")
	}
	if len(r.ID) > maxText {
		return jsonstrict.Errorf("/id", "is longer than %d bytes", maxText)
	}
	if err := r.Action.atStage(r.Match.Stage); err != nil {
		return err
	}
	return r.Action.inRange()
}

func (m Match) validate() error {
	if !slices.Contains(stages, m.Stage) {
		return jsonstrict.Errorf("/match/stage", "must be one of %s, not %q", list(stages), m.Stage)
	}
	for _, text := range [][2]string{{"account", m.Account}, {"recipient", m.Recipient}, {"messageId", m.MessageID}, {"type", m.Type}} {
		if len(text[1]) > maxText {
			return jsonstrict.Errorf("/match/"+text[0], "is longer than %d bytes", maxText)
		}
	}
	if m.MessageID != "" && m.Stage != Message && m.Stage != Delivery {
		return jsonstrict.Errorf("/match/messageId", "has no meaning at stage %q", m.Stage)
	}
	if m.Recipient != "" && m.Stage != Message && m.Stage != Delivery {
		return jsonstrict.Errorf("/match/recipient", "has no meaning at stage %q", m.Stage)
	}
	if m.Account != "" && (m.Stage == Handshake || m.Stage == Media) {
		return jsonstrict.Errorf("/match/account", "is not known at stage %q", m.Stage)
	}
	if m.Nth < 0 {
		return jsonstrict.Errorf("/match/nth", "counts from 1")
	}
	if m.Probability < 0 || m.Probability >= 1 {
		return jsonstrict.Errorf("/match/probability", "must lie between 0 and 1, both excluded")
	}
	if m.Seed != 0 && m.Probability == 0 {
		return jsonstrict.Errorf("/match/seed", "needs a probability beside it")
	}
	return nil
}

func (a Action) atStage(stage Stage) error {
	var possible []string
	set := false
	for _, m := range a.members() {
		fits := slices.Contains(m.stages, stage)
		if fits {
			possible = append(possible, m.name)
		}
		if m.set && !fits {
			return jsonstrict.Errorf("/action/"+m.name, "has no effect at stage %q; use it at %s", stage, list(m.stages))
		}
		set = set || m.set
	}
	if !set {
		return jsonstrict.Errorf("/action", "is empty; at stage %q it may have %s", stage, strings.Join(possible, ", "))
	}
	return nil
}

func (a Action) inRange() error {
	within := func(name string, v, low, high int) error {
		if v < low || v > high {
			return jsonstrict.Errorf("/action/"+name, "must lie between %d and %d, not %d", low, high, v)
		}
		return nil
	}
	const lowCode, highCode = 1, 9999
	checks := []error{
		within("delay", int(time.Duration(a.Delay)/time.Millisecond), 0, int(maxDelay/time.Millisecond)),
		within("duplicate", a.Duplicate, 0, maxDuplicate),
		within("reorder", a.Reorder, 0, maxReorder),
	}
	if a.AckError != nil {
		checks = append(checks, within("ackError/code", a.AckError.Code, lowCode, highCode))
	}
	if a.IQError != nil {
		checks = append(checks, within("iqError/code", a.IQError.Code, lowCode, highCode))
	}
	if a.StreamError != nil {
		checks = append(checks, within("streamError/code", a.StreamError.Code, lowCode, highCode))
	}
	if a.LoginFailure != nil {
		checks = append(checks, within("loginFailure/reason", a.LoginFailure.Reason, lowCode, highCode),
			within("loginFailure/code", a.LoginFailure.Code, 0, highCode),
			within("loginFailure/expire", a.LoginFailure.Expire, 0, int(365*24*time.Hour/time.Second)))
	}
	if a.HTTPStatus != 0 {
		checks = append(checks, within("httpStatus", a.HTTPStatus, 400, 599))
	}
	if a.Disconnect != "" && a.Disconnect != Before && a.Disconnect != After {
		checks = append(checks, jsonstrict.Errorf("/action/disconnect", "must be %q or %q", Before, After))
	}
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	return nil
}

func list[T ~string](items []T) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = fmt.Sprintf("%q", string(item))
	}
	return strings.Join(quoted, ", ")
}
