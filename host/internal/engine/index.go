package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// Index is the data by which a run can be found, as it stands after a change. It is derived here
// and nowhere else, and stored with the change.
type Index struct {
	Flow    string
	Trial   bool
	Status  run.Status
	Started time.Time
	// Error is "node: code" of a run that failed.
	Error string
	// Waits are the nodes with an armed wait or a delay, in order, each once.
	Waits []string
	// Subjects are the people and things that the change was about: phone numbers, LIDs, groups and
	// ids of messages, in the form of the function subject.
	Subjects []string
}

// maxSubjects is how many subjects of a run are kept. The run cannot be found by later ones.
const maxSubjects = 64

// IndexOf derives the index data from a run's state and the steps that led there.
func IndexOf(s run.State, steps []Step) Index {
	x := Index{Flow: s.Flow, Trial: s.Trial, Status: s.Status, Started: s.Started}
	if s.Error != nil {
		x.Error = strings.TrimPrefix(s.Error.Node+": "+s.Error.Code, ": ")
	}
	for _, v := range s.Visits {
		if v.Wait == run.WaitArmed || v.Call == run.CallDelayed {
			x.Waits = append(x.Waits, v.Node)
		}
	}
	slices.Sort(x.Waits)
	x.Waits = slices.Compact(x.Waits)
	for _, st := range steps {
		x.about(st.MessageID)
		x.collect(st.Data, subjectDepth)
	}
	return x
}

// IndexFrom derives the index data of a run that was stored without it.
func IndexFrom(state []byte, steps []Step) (Index, error) {
	s, err := decodeState(state)
	return IndexOf(s, steps), err
}

// subjectDepth is how deep in a step's data subjects are looked for.
const subjectDepth = 4

// subjectNames are the members whose values are subjects, wherever they stand.
var subjectNames = []string{"jid", "lid", "messageId", "number", "phone"}

func (x *Index) collect(data any, depth int) {
	m, _ := data.(map[string]any)
	for name, v := range m {
		switch v := v.(type) {
		case string:
			if slices.Contains(subjectNames, name) {
				x.about(v)
			}
		case map[string]any:
			if depth > 1 {
				x.collect(v, depth-1)
			}
		}
	}
}

func (x *Index) about(text string) {
	if s := subject(text); s != "" {
		x.Subjects = AddSubjects(x.Subjects, []string{s})
	}
}

// AddSubjects adds new subjects to those of a run, up to the limit of a run.
func AddSubjects(all, more []string) []string {
	for _, s := range more {
		if len(all) < maxSubjects && !slices.Contains(all, s) {
			all = append(all[:len(all):len(all)], s)
		}
	}
	return all
}

// maxSubject is the length of a subject in bytes.
const maxSubject = 128

// subject brings the name of a person, a group or a message into one form. A phone number, however
// it is punctuated, or the address of one becomes its digits; any other address (a LID, a group)
// loses the number of a device; an id stays as it is. A text that is too long becomes "".
func subject(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxSubject {
		return ""
	}
	if user, server, ok := strings.Cut(text, "@"); ok {
		user, _, _ = strings.Cut(user, ":")
		if server == "s.whatsapp.net" || server == "c.us" {
			return user
		}
		return user + "@" + server
	}
	if digits := strings.Trim(text, "+0123456789 ()-./"); digits == "" {
		text = strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, text)
	}
	return text
}
