package events

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tapnode/tapnode/internal/netguard"
	"github.com/tapnode/tapnode/sdk"
)

// The forms of a webhook's bodies.
const (
	formCloudEvents = "cloudevents" // CloudEvents 1.0, structured
	formSeed        = "seed"        // see [Seed]
)

// Limits of webhooks.
const (
	maxWebhooks     = 100 // without those of the seed's API, which has limits of its own
	maxParallel     = 64
	defaultParallel = 8
	maxURL          = 4096
	maxNames        = 50
	maxName         = 100
)

// Settings say what a webhook gets, and how. Those of the seed's API also have a label and an
// authorization.
type Settings struct {
	Label     string   `json:"label"`
	URL       string   `json:"url"`
	Form      string   `json:"form,omitempty"`
	Events    []string `json:"events"`              // types, or the seed's names; none: all
	Instances []string `json:"instances,omitempty"` // none: all
	Unordered bool     `json:"unordered,omitempty"` // a failing event holds up no other
	Parallel  int      `json:"parallel,omitempty"`
	Token     bool     `json:"token,omitempty"` // the instance's, in the seed's form

	Authorization string `json:"authorization,omitempty"` // the header
	ByEvents      bool   `json:"byEvents,omitempty"`      // the event's name ends the path
	MediaBase64   bool   `json:"mediaBase64,omitempty"`   // kept for the client to read
}

// Webhook is a receiver of events.
type Webhook struct {
	ID string
	// Owner is the instance for which the seed's API set it; such a webhook changes there only.
	Owner string
	Settings
	Enabled bool
	Reason  string // why it was disabled, if the host did it
	Created time.Time
	// Lost counts events and dead letters that were removed over a limit.
	Lost int64

	rotation, previous string
	previousUntil      time.Time
	position           uint64
}

// wants says whether the webhook gets an event.
func (w *Webhook) wants(ev Event) bool {
	if w.Owner != "" && ev.Instance != w.Owner || len(w.Instances) > 0 && !slices.Contains(w.Instances, ev.Instance) {
		return false
	}
	if len(w.Events) == 0 || slices.Contains(w.Events, ev.Type) {
		return true
	}
	return w.Form == formSeed && slices.Contains(w.Events, InSeed(ev).Event)
}

// instance is the only one whose events it gets; "" if there are others.
func (w *Webhook) instance() string {
	if w.Owner == "" && len(w.Instances) == 1 {
		return w.Instances[0]
	}
	return w.Owner
}

// lane names what an event must not overtake.
func (w *Webhook) lane(ev Event) string {
	switch {
	case w.Unordered:
		return ev.ID
	case ev.Instance != "":
		return "instance " + ev.Instance
	}
	return "run " + ev.Run
}

// check fills in what settings leave out and says all that is wrong with them.
func (s *Settings) check(guard *netguard.Guard) []sdk.Violation {
	var bad []sdk.Violation
	refuse := func(pointer, code, format string, args ...any) {
		bad = append(bad, sdk.Violation{Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...)})
	}
	u, err := url.Parse(s.URL)
	switch {
	case s.URL == "":
		refuse("/url", "required", "a webhook needs a url")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || len(s.URL) > maxURL:
		refuse("/url", "invalid", "want https://host/path, of at most %d bytes", maxURL)
	case u.Scheme == "http" && !guard.Private:
		refuse("/url", "insecure", "want https; http is for hosts that were started with --allow-private")
	case guard.CheckHost(u.Hostname()) != nil:
		refuse("/url", "address_refused", "%s", refusedAddress)
	case u.User != nil || u.Fragment != "":
		refuse("/url", "invalid", "leave out user, password and fragment; the signature says who calls")
	}
	if s.Form == "" {
		s.Form = formCloudEvents
	}
	if s.Form != formCloudEvents && s.Form != formSeed {
		refuse("/form", "invalid", "want %s or %s", formCloudEvents, formSeed)
	}
	if s.Token && s.Form != formSeed {
		refuse("/token", "invalid", "only the form %s has a place for the instance's token", formSeed)
	}
	if s.Parallel == 0 {
		s.Parallel = defaultParallel
	}
	if s.Parallel < 1 || s.Parallel > maxParallel {
		refuse("/parallel", "out_of_range", "want 1 to %d", maxParallel)
	}
	for pointer, names := range map[string][]string{"/events": s.Events, "/instances": s.Instances} {
		if len(names) > maxNames || slices.ContainsFunc(names, func(n string) bool { return n == "" || len(n) > maxName }) {
			refuse(pointer, "invalid", "want at most %d names of 1 to %d bytes", maxNames, maxName)
		}
	}
	for i, name := range s.Events {
		if !Known(name) {
			refuse(fmt.Sprintf("/events/%d", i), "unknown", "no event is called so; the catalogue lists all")
		}
	}
	if len(s.Label) > maxName {
		refuse("/label", "too_long", "want at most %d bytes", maxName)
	}
	slices.SortFunc(bad, func(a, b sdk.Violation) int { return strings.Compare(a.Pointer, b.Pointer) })
	return bad
}

// Known says whether a name is in the catalogue. What other nodes may tell has a version at its
// end, too.
func Known(name string) bool {
	return slices.ContainsFunc(kinds, func(k Catalogued) bool { return k.Type == name || k.Seed == name }) || versioned.MatchString(name)
}

// refuse is a caller's mistake.
func refuse(status int, code, message string, violations ...sdk.Violation) error {
	return &sdk.Problem{Code: code, HTTPStatus: status, Message: message, Violations: violations, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}
}

var errUnknown = refuse(http.StatusNotFound, "not_found", "There is no such webhook")
