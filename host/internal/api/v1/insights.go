package v1

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tapnode/tapnode/host/internal/engine"
)

const csvType = "text/csv"

type insightQuery struct {
	From     time.Time `query:"from" doc:"From this hour, or day; left out, a week before to."`
	To       time.Time `query:"to" doc:"To before this hour, or day; left out, with the present one."`
	Flow     string    `query:"flow" doc:"Of this flow."`
	Instance string    `query:"instance" doc:"Of this instance."`
	Step     string    `query:"step" enum:"hour,day" default:"day" doc:"What the series counts by, in UTC."`
	Table    string    `query:"table" enum:"series,menus,failures,versions" default:"series" doc:"Which of the tables comes as CSV."`
	Accept   string    `header:"Accept" doc:"text/csv for a table; otherwise all of them as JSON."`
}

// insights are figures computed from the engine's counts.
type insights struct {
	From     time.Time     `json:"from"`
	To       time.Time     `json:"to"`
	Step     string        `json:"step"`
	Series   []point       `json:"series" nullable:"false" doc:"One for each step in which anything happened."`
	Menus    []menuFigures `json:"menus" nullable:"false"`
	Failures []failures    `json:"failures" nullable:"false"`
	Versions []publication `json:"versions" nullable:"false" doc:"When versions were published."`
}

type point struct {
	At     time.Time `json:"at"`
	Sent   int64     `json:"sent" doc:"Messages."`
	Clicks int64     `json:"clicks"`
	Wrote  int64     `json:"wrote" doc:"Answers in words."`
	Silent int64     `json:"silent" doc:"Menus that nobody answered in time."`
	Failed int64     `json:"failed" doc:"Calls of nodes."`
}

// menuFigures are the figures of a node whose messages wait for an answer.
type menuFigures struct {
	Flow     string          `json:"flow"`
	Node     string          `json:"node"`
	Sent     int64           `json:"sent"`
	Buttons  []buttonFigures `json:"buttons" nullable:"false" doc:"Those that were tapped."`
	Wrote    int64           `json:"wrote" doc:"Wrote instead of tapping."`
	NoAnswer int64           `json:"noAnswer"`
	Rate     float64         `json:"rate" doc:"Taps by messages."`
	Took     took            `json:"took" doc:"How long taps took."`
}

type buttonFigures struct {
	Port string  `json:"port"`
	Taps int64   `json:"taps"`
	Rate float64 `json:"rate" doc:"Of how many messages it was tapped."`
}

type took struct {
	Median    *float64 `json:"medianSeconds,omitempty" doc:"By its part of the histogram; left out without taps, and when it is beyond the last bound."`
	Histogram []bar    `json:"histogram" nullable:"false"`
}

type bar struct {
	UpTo int   `json:"upToSeconds,omitempty" doc:"Left out: all that took longer."`
	N    int64 `json:"n"`
}

type failures struct {
	Operation string `json:"operation"`
	Code      string `json:"code"`
	N         int64  `json:"n"`
}

type publication struct {
	At      time.Time `json:"at" doc:"To the hour."`
	Flow    string    `json:"flow"`
	Version int       `json:"version"`
}

// typed is an answer in one of several content types.
type typed struct {
	Type string `header:"Content-Type"`
	Body []byte
}

// mostSteps is how many points a series may have.
const mostSteps = 1000

// insights serves the figures.
func (a *API) insights(e *engine.Engine) {
	serve(a, route{
		method: http.MethodGet, path: "/v1/insights", id: "getInsights", tag: "runs", summary: "Figures: messages, clicks, answers, failures",
		about: "They are counted with what they count, and kept for 400 days. Trials are not among them.", access: Access{Right: Read},
		change: func(op *huma.Operation) {
			op.Responses["200"] = &huma.Response{Description: "The figures", Content: map[string]*huma.MediaType{
				jsonType: {Schema: a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[insights](), true, "")},
				csvType:  {Schema: &huma.Schema{Type: huma.TypeString}},
			}}
		},
	}, func(ctx context.Context, in *insightQuery) (*typed, error) {
		out, err := a.figures(ctx, e, in)
		if err != nil {
			return nil, err
		}
		if !strings.Contains(in.Accept, csvType) {
			raw, err := json.Marshal(out)
			return &typed{jsonType, raw}, err
		}
		var text bytes.Buffer
		err = csv.NewWriter(&text).WriteAll(out.table(in.Table))
		return &typed{csvType + "; charset=utf-8; header=present", text.Bytes()}, err
	})
}

func (a *API) figures(ctx context.Context, e *engine.Engine, in *insightQuery) (*insights, error) {
	hours := map[string]int{"hour": 1, "day": 24}[in.Step]
	step := time.Duration(hours) * time.Hour
	to := in.To
	if to.IsZero() {
		to = time.Now().Add(step)
	}
	from := in.From
	if from.IsZero() {
		from = to.Add(-7 * 24 * time.Hour)
	}
	from, to = from.UTC().Truncate(step), to.UTC().Truncate(step)
	if n := int64(to.Sub(from) / step); n < 1 || n > mostSteps {
		message := fmt.Sprintf("there must be 1 to %d steps between from and to", mostSteps)
		return nil, refuse(http.StatusBadRequest, "invalid_request", message, fault{Parameter: "from", Code: "invalid", Message: message})
	}
	c, err := e.Counted(ctx, engine.HourOf(from), engine.HourOf(to), hours, in.Flow, in.Instance)
	if err != nil {
		return nil, a.refused(err)
	}
	out := &insights{From: from, To: to, Step: in.Step, Series: []point{}, Menus: []menuFigures{}, Failures: []failures{}, Versions: []publication{}}
	out.series(c.Slots)
	out.tables(c.All)
	return out, nil
}

func hourTime(hour int64) time.Time { return time.Unix(hour*3600, 0).UTC() }

func (f *insights) series(slots []engine.Count) {
	for _, c := range slots {
		if n := len(f.Series); n == 0 || !f.Series[n-1].At.Equal(hourTime(c.Hour)) {
			f.Series = append(f.Series, point{At: hourTime(c.Hour)})
		}
		p := &f.Series[len(f.Series)-1]
		switch c.Kind {
		case engine.CountSent, engine.CountMenu:
			p.Sent += c.N
		case engine.CountTap:
			p.Clicks += c.N
		case engine.CountWrote:
			p.Wrote += c.N
		case engine.CountSilent:
			p.Silent += c.N
		case engine.CountFailed:
			p.Failed += c.N
		}
	}
}

// tables expects the counts sorted by flow and node.
func (f *insights) tables(all []engine.Count) {
	failed := map[failures]int{}
	for _, c := range all {
		switch c.Kind {
		case engine.CountPublished:
			number, _ := strconv.Atoi(c.Key) // always a number: the host wrote it
			f.Versions = append(f.Versions, publication{hourTime(c.Hour), c.Flow, number})
		case engine.CountFailed:
			operation, code, _ := strings.Cut(c.Key, " ")
			key := failures{Operation: operation, Code: code}
			at, known := failed[key]
			if !known {
				at = len(f.Failures)
				failed[key] = at
				f.Failures = append(f.Failures, key)
			}
			f.Failures[at].N += c.N
		case engine.CountMenu, engine.CountTap, engine.CountWrote, engine.CountSilent, engine.CountTook:
			if n := len(f.Menus); n == 0 || f.Menus[n-1].Flow != c.Flow || f.Menus[n-1].Node != c.Node {
				f.Menus = append(f.Menus, newMenu(c.Flow, c.Node))
			}
			f.Menus[len(f.Menus)-1].add(c)
		}
	}
	for i := range f.Menus {
		f.Menus[i].rate()
	}
}

func newMenu(flow, node string) menuFigures {
	m := menuFigures{Flow: flow, Node: node, Buttons: []buttonFigures{}}
	for _, b := range engine.TookBounds {
		m.Took.Histogram = append(m.Took.Histogram, bar{UpTo: int(b / time.Second)})
	}
	m.Took.Histogram = append(m.Took.Histogram, bar{})
	return m
}

func (m *menuFigures) add(c engine.Count) {
	switch c.Kind {
	case engine.CountMenu:
		m.Sent += c.N
	case engine.CountTap:
		m.Buttons = append(m.Buttons, buttonFigures{Port: c.Key, Taps: c.N})
	case engine.CountWrote:
		m.Wrote += c.N
	case engine.CountSilent:
		m.NoAnswer += c.N
	case engine.CountTook:
		bound, _ := strconv.Atoi(c.Key) // "" is the last bar, which has no bound
		for i := range m.Took.Histogram {
			if m.Took.Histogram[i].UpTo == bound {
				m.Took.Histogram[i].N += c.N
			}
		}
	}
}

func (m *menuFigures) rate() {
	for i := range m.Buttons {
		m.Buttons[i].Rate = ratio(m.Buttons[i].Taps, m.Sent)
		m.Rate += m.Buttons[i].Rate
	}
	m.Took.Median = median(m.Took.Histogram)
}

func ratio(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// median interpolates linearly in the bar that contains the middle of all values. It is nil if there are
// no values or that bar has no upper bound.
func median(bars []bar) *float64 {
	var all, before int64
	for _, b := range bars {
		all += b.N
	}
	half, from := float64(all)/2, 0
	for _, b := range bars {
		if b.N > 0 && float64(before+b.N) >= half {
			if b.UpTo == 0 {
				return nil
			}
			return new(float64(from) + float64(b.UpTo-from)*(half-float64(before))/float64(b.N))
		}
		before, from = before+b.N, b.UpTo
	}
	return nil
}

// table returns one of the tables; its first row has the column names.
func (f *insights) table(name string) [][]string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	part := func(r float64) string { return strconv.FormatFloat(r, 'f', 4, 64) }
	at := func(t time.Time) string { return t.Format(time.RFC3339) }
	var rows [][]string
	switch name {
	case "menus":
		rows = append(rows, []string{"flow", "node", "sent", "answer", "count", "rate", "medianSeconds"})
		for _, m := range f.Menus {
			middle := ""
			if m.Took.Median != nil {
				middle = strconv.FormatFloat(*m.Took.Median, 'f', 1, 64)
			}
			row := func(answer string, n int64) {
				rows = append(rows, []string{m.Flow, m.Node, number(m.Sent), cell(answer), number(n), part(ratio(n, m.Sent)), middle})
			}
			for _, b := range m.Buttons {
				row(b.Port, b.Taps)
			}
			row("wrote instead", m.Wrote)
			row("no answer", m.NoAnswer)
		}
	case "failures":
		rows = append(rows, []string{"operation", "code", "count"})
		for _, x := range f.Failures {
			rows = append(rows, []string{cell(x.Operation), cell(x.Code), number(x.N)})
		}
	case "versions":
		rows = append(rows, []string{"at", "flow", "version"})
		for _, v := range f.Versions {
			rows = append(rows, []string{at(v.At), v.Flow, strconv.Itoa(v.Version)})
		}
	default:
		rows = append(rows, []string{"at", "sent", "clicks", "wrote", "silent", "failed"})
		for _, p := range f.Series {
			rows = append(rows, []string{at(p.At), number(p.Sent), number(p.Clicks), number(p.Wrote), number(p.Silent), number(p.Failed)})
		}
	}
	return rows
}

// cell keeps a spreadsheet from reading a name as a formula.
func cell(text string) string {
	if strings.HasPrefix(text, "=") || strings.HasPrefix(text, "+") || strings.HasPrefix(text, "-") || strings.HasPrefix(text, "@") {
		return "'" + text
	}
	return text
}
