package engine

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// Count is something that happened in the runs of a flow, for the figures. It is stored with the
// change that it is part of, so that the figures count neither more nor less than what happened.
// Trials are not counted.
type Count struct {
	Hour     int64 // hours since 1970, UTC
	Flow     string
	Node     string
	Kind     CountKind
	Key      string
	Instance string // whose message it was about; may be empty
	N        int64
}

// CountKind says what is counted.
type CountKind string

// The kinds, and what Count.Key is.
const (
	CountSent      CountKind = "sent"      // a message without a choice
	CountMenu      CountKind = "menu"      // a message that waits for an answer
	CountTap       CountKind = "tap"       // the port
	CountWrote     CountKind = "wrote"     // an answer in words
	CountSilent    CountKind = "silent"    // no answer in time
	CountTook      CountKind = "took"      // how long a tap took: the first of TookBounds that is not shorter, in seconds; "" if it took longer
	CountFailed    CountKind = "failed"    // the operation and the code, with a space between
	CountPublished CountKind = "published" // the number of the version
)

// TookBounds are the bounds of the histogram of times to a tap.
var TookBounds = []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 72 * time.Hour}

// maxCountKey bounds a key, in bytes, because nodes choose their own codes.
const maxCountKey = 200

// HourOf is the Count.Hour of a time.
func HourOf(t time.Time) int64 { return t.Unix() / 3600 }

// counts derives the counts of a change from its steps.
func counts(p *flow.Program, before, after run.State, steps []Step) []Count {
	if after.Trial {
		return nil
	}
	var out []Count
	add := func(st Step, kind CountKind, key string) {
		c := Count{Hour: HourOf(st.Time), Flow: after.Flow, Node: st.Node, Kind: kind, Key: key[:min(len(key), maxCountKey)], Instance: instanceOf(before, after, st), N: 1}
		out = append(out, c)
	}
	for _, st := range steps {
		n := p.Node(st.Node)
		if n == nil {
			continue
		}
		was := visitOf(before, st.Visit)
		switch st.Kind {
		case run.TraceNodeSucceeded:
			switch {
			case st.MessageID == "":
			case !n.Waits:
				add(st, CountSent, "")
			case was == nil || was.Wait != run.WaitSettled:
				add(st, CountMenu, "")
			}
		case run.TraceNodeFailed:
			add(st, CountFailed, st.Operation+" "+st.Code)
		case run.TraceWaitTimeout:
			add(st, CountSilent, "")
		case run.TraceWaitAnswered, run.TraceWaitRestarted:
			if was != nil && was.Wait == run.WaitArmed && was.Call != run.CallDone {
				add(st, CountMenu, "") // the message has arrived, whatever the outcome of its call
			}
			if st.ButtonID == "" {
				add(st, CountWrote, "")
				continue
			}
			add(st, CountTap, st.Port)
			if was != nil && !was.Deadline.IsZero() {
				add(st, CountTook, tookBound(st.Time.Sub(was.Deadline.Add(-n.Timeout))))
			}
		}
	}
	return out
}

func tookBound(took time.Duration) string {
	for _, b := range TookBounds {
		if took <= b {
			return strconv.Itoa(int(b / time.Second))
		}
	}
	return ""
}

// instanceOf is the instance that a step is about, as the visit or the event names it.
func instanceOf(before, after run.State, st Step) string {
	for _, s := range []run.State{before, after} {
		if v := visitOf(s, st.Visit); v != nil {
			if name := cmp.Or(v.Instance, lookup(v.Input, "instance")); name != "" {
				return name
			}
		}
	}
	return lookup(st.Data, "instance")
}

func visitOf(s run.State, n int) *run.Visit {
	for i := range s.Visits {
		if s.Visits[i].N == n {
			return &s.Visits[i]
		}
	}
	return nil
}

// Counted is what was counted from one hour up to, but not including, another, of one flow and one
// instance if they are given. Slots has sums by slots of some hours and by kind, All sums of the
// whole time by flow, node, kind and key.
type Counted struct {
	Slots []Count // Hour, Kind, N
	All   []Count // Hour is set for CountPublished only
}

// Counted is Archive.Counted.
func (e *Engine) Counted(ctx context.Context, from, to int64, slot int, flow, instance string) (Counted, error) {
	return e.log.Counted(ctx, from, to, slot, flow, instance)
}
