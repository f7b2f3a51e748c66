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

// The forms in which a webhook can get an event.
const (
	formCloudEvents = "cloudevents" // CloudEvents 1.0, structured
	formSeed        = "seed"        // see [Seed]
)

// Limits of webhooks.
const (
	maxWebhooks     = 100 // not counting those of the seed's API, which has its own limits
	maxParallel     = 64
	defaultParallel = 8
	maxURL          = 4096
	maxNames        = 50
	maxName         = 100
)

// Settings say which events a webhook gets, and how. Only the seed's API sets Authorization,
// ByEvents and MediaBase64.
type Settings struct {
	Label     string   `json:"label"`
	URL       string   `json:"url"`
	Form      string   `json:"form,omitempty"`
	Events    []string `json:"events"`              // types, or in the seed's form its names; empty: all
	Instances []string `json:"instances,omitempty"` // empty: all
	Unordered bool     `json:"unordered,omitempty"` // a failing event holds up no other event
	Parallel  int      `json:"parallel,omitempty"`
	Token     bool     `json:"token,omitempty"` // send the instance's token; only in the seed's form

	Authorization string `json:"authorization,omitempty"` // value of the Authorization header
	ByEvents      bool   `json:"byEvents,omitempty"`      // append the event's name to the path
	MediaBase64   bool   `json:"mediaBase64,omitempty"`   // has no effect; stored so that the client can read it back
}

// Webhook is a receiver of events.
type Webhook struct {
	ID string
	// Owner is the instance for which the seed's API set this webhook; only that API can change it.
	Owner string
	Settings
	Enabled bool
	Reason  string // why it was disabled, if the host did it
	Created time.Time
	// Lost counts undelivered events and dead letters that were removed to keep within a limit.
	Lost int64

	rotation, previous string
	previousUntil      time.Time
	position           uint64
}

// wants reports whether the webhook gets an event.
func (w *Webhook) wants(ev Event) bool {
	if w.Owner != "" && ev.Instance != w.Owner || len(w.Instances) > 0 && !slices.Contains(w.Instances, ev.Instance) {
		return false
	}
	if len(w.Events) == 0 || slices.Contains(w.Events, ev.Type) {
		return true
	}
	return w.Form == formSeed && slices.Contains(w.Events, InSeed(ev).Event)
}

// instance is the one instance whose events the webhook gets, or "" if it gets others, too.
func (w *Webhook) instance() string {
	if w.Owner == "" && len(w.Instances) == 1 {
		return w.Instances[0]
	}
	return w.Owner
}

// lane names the lane of an event: no event overtakes another one in its lane.
func (w *Webhook) lane(ev Event) string {
	switch {
	case w.Unordered:
		return ev.ID
	case ev.Instance != "":
		return "instance " + ev.Instance
	}
	return "run " + ev.Run
}

// check fills in defaults and returns everything that is wrong with the settings.
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
			refuse(fmt.Sprintf("/events/%d", i), "unknown", "there is no event of that name; the catalogue lists all of them")
		}
	}
	if len(s.Label) > maxName {
		refuse("/label", "too_long", "want at most %d bytes", maxName)
	}
	slices.SortFunc(bad, func(a, b sdk.Violation) int { return strings.Compare(a.Pointer, b.Pointer) })
	return bad
}

// Known reports whether a name is in the catalogue or ends with a version: other nodes may have
// event types that this host does not know, and those end so.
func Known(name string) bool {
	return slices.ContainsFunc(kinds, func(k Catalogued) bool { return k.Type == name || k.Seed == name }) || versioned.MatchString(name)
}

// refuse returns a problem that is the caller's fault and had no effect.
func refuse(status int, code, message string, violations ...sdk.Violation) error {
	return &sdk.Problem{Code: code, HTTPStatus: status, Message: message, Violations: violations, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}
}

var errUnknown = refuse(http.StatusNotFound, "not_found", "There is no such webhook")
