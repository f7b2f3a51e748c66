package pool

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// State of an instance, as spelled in the published schema (whatsapp.instance.list.output.json).
type State string

// The states of an instance.
const (
	New          State = "new"          // never paired
	Pairing      State = "pairing"      // waiting for the phone
	Connecting   State = "connecting"   // paired, and logging in or reconnecting
	Connected    State = "connected"    // logged in
	Disconnected State = "disconnected" // paired, and offline until someone acts
	LoggedOut    State = "logged_out"   // the phone removed this device; it must be paired again
	Banned       State = "banned"       // WhatsApp refuses the account temporarily
	Replaced     State = "replaced"     // another process took over the session or its lease
)

// Status describes an instance. It contains no phone number.
type Status struct {
	State State
	Since time.Time // when the instance entered the state
	// Trouble describes what keeps the instance from working as requested; nil if nothing does.
	Trouble *Trouble
}

// Trouble describes a problem and the next step.
type Trouble struct {
	Code    string // stable, snake_case
	Message string // for people: the problem and what to do
	At      time.Time
	Until   time.Time // when the next attempt is made; zero: not before someone acts
}

// Troubles that the pool detects itself; the others come from WhatsApp, see judge.
const (
	codeUnreachable = "unreachable"      // the server cannot be dialled
	codeUntrusted   = "untrusted_server" // the server that answers is not WhatsApp
	codeLost        = "connection_lost"  // the connection ended without a reason
	codeDeaf        = "not_delivering"   // logged in, but WhatsApp did not agree to deliver messages
	codeUnstable    = "unstable"         // logins do not last
	codeTwin        = "same_account"     // another instance has the same account
	codeRefused     = "refused"          // connections repeatedly end before the login
	codeKeepAlive   = "keepalive"        // the server stopped answering
	codeStorage     = "storage"          // events cannot be stored
	codeOutdated    = "client_outdated"  // WhatsApp wants a newer client
	codeSlow        = "slow_down"        // WhatsApp wants fewer logins
)

// verdict is the reason WhatsApp itself gave for the end of a connection.
type verdict struct {
	state         State
	code, message string
	retry         time.Duration // when a retry makes sense; 0: not before someone acts
	patient       bool          // each further retry waits longer
	unpair        bool          // the session is gone
	outdated      bool          // a newer version of WhatsApp Web may be accepted
}

// judge turns the events after which whatsmeow does not reconnect (events.PermanentDisconnect) into
// a verdict, and returns nil for any other event.
func judge(evt any) *verdict {
	switch e := evt.(type) {
	case *events.LoggedOut:
		v := &verdict{state: LoggedOut, unpair: true, code: "logged_out",
			message: "the phone or WhatsApp removed this linked device; connect the instance to pair it again"}
		switch e.Reason {
		case events.ConnectFailureMainDeviceGone:
			v.message = "the account's phone was logged out, or WhatsApp locked the account (403); open WhatsApp on it, then connect the instance to pair it again"
		case events.ConnectFailureUnknownLogout:
			v.message = "WhatsApp closed the account's session (406); check on its phone whether the account is banned, then connect the instance to pair it again"
		}
		return v
	case *events.StreamReplaced:
		return &verdict{state: Replaced, code: "replaced",
			message: "another process connected with the same session; stop it, then connect the instance again"}
	case *events.TemporaryBan:
		return &verdict{state: Banned, code: "banned", retry: max(e.Expire, time.Minute),
			message: fmt.Sprintf("WhatsApp banned the account for a while (code %d); answer people who wrote first, and send less to others", int(e.Code))}
	case *events.ClientOutdated:
		return &verdict{state: Disconnected, code: codeOutdated, outdated: true,
			message: "WhatsApp refuses this client version; update the node, or set device.version, then connect the instance again"}
	case *events.ConnectFailure:
		return refusal(e.Reason)
	case *events.StreamError:
		if e.Code == strconv.Itoa(http.StatusTooManyRequests) {
			return refusal(http.StatusTooManyRequests)
		}
	case *events.CATRefreshError:
		return &verdict{state: Disconnected, code: "connect_failure",
			message: "WhatsApp refused the login token; connect the instance again, and pair it anew if that does not help"}
	}
	return nil
}

// refusal is the verdict for a login that was refused with a code for which whatsmeow has no event.
// If the refusal may pass by itself, the login is retried with growing delays.
func refusal(number events.ConnectFailureReason) *verdict {
	v := &verdict{state: Connecting, code: "connect_failure", retry: slowRetry, patient: true}
	switch number {
	case events.ConnectFailureGeneric:
		v.message = "WhatsApp did not understand the login (400); if that goes on, update the node"
	case events.ConnectFailureBadUserAgent:
		return &verdict{state: Disconnected, code: codeOutdated, outdated: true,
			message: "WhatsApp refuses what this client says about itself (409); update the node, or take device.version out of the settings, then connect the instance again"}
	case events.ConnectFailureNotFound:
		v.message = "WhatsApp does not find this linked device (415); if the phone does not list it under Linked devices any more, log the instance out and pair it anew"
	case http.StatusTooManyRequests:
		v.code, v.message = codeSlow, "WhatsApp asks for fewer logins (429); leave the instance alone for a while"
	case events.ConnectFailureExperimental:
		v.message = "WhatsApp does not serve this client at the moment (501); if that goes on for a day, update the node"
	default:
		return &verdict{state: Disconnected, code: v.code,
			message: fmt.Sprintf("WhatsApp refused the login (%d); check the account on its phone, then connect the instance again", int(number))}
	}
	return v
}

// told is a Trouble as stored in the registry, so that it is still known after a restart of the
// process.
type told struct {
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Until   time.Time `json:"until,omitzero"`
}

// remember stores a lasting state and its reason. A database failure is only logged: the state
// itself is reported anyway.
func (i *Instance) remember(ctx context.Context, s State, t *Trouble) {
	var reason []byte
	if t != nil {
		reason, _ = json.Marshal(told{t.Code, t.Message, t.Until}) // strings and a time always encode
	}
	if err := i.pool.opts.Registry.SetState(ctx, i.name, string(s), string(reason)); err != nil {
		i.log.Error("the instance's state could not be stored", "error", err)
		return
	}
	i.remembers.Store(t != nil)
}

// forgive clears the remembered trouble, now that the instance has logged in.
func (i *Instance) forgive() {
	if !i.remembers.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Store)
	defer cancel()
	i.remember(ctx, Connected, nil)
}

// recall returns the status an instance starts with: the remembered one, or otherwise one derived
// from its pairing.
func (i *Instance) recall(r registry.Instance) Status {
	s := Status{State: New, Since: r.StateAt}
	if i.cli.Load() != nil {
		s.State = Disconnected
	} else if r.JID != "" || r.State == string(LoggedOut) {
		s.State = LoggedOut
	}
	if s.Since.IsZero() {
		s.Since = time.Now()
	}
	var why told
	if json.Unmarshal([]byte(r.Reason), &why) == nil && why.Code != "" {
		s.State = State(r.State)
		s.Trouble = &Trouble{Code: why.Code, Message: why.Message, At: r.StateAt, Until: why.Until}
		i.remembers.Store(true)
	}
	return s
}
