package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// Scope is a right.
type Scope string

// The rights there are.
const (
	Send   Scope = "send"   // messages, and starting runs
	Read   Scope = "read"   // reading everything, with numbers and texts masked
	Manage Scope = "manage" // changing instances, flows, runs, webhooks, nodes and tokens
	Reveal Scope = "reveal" // the numbers and texts in what the caller may read
)

var allScopes = []Scope{Send, Read, Manage, Reveal}

// AccountScopes are the scopes of an account token and, for one instance, of that instance's own token.
func AccountScopes() []Scope { return []Scope{Send, Read, Manage} }

// tokenPrefix begins every token, so that scanners for secrets in files find them.
const tokenPrefix = "tap_"

const (
	maxTokens    = 1000
	maxInstances = 100 // that a token names
	maxName      = 100 // bytes, of a token or an instance
	keepExpired  = 30 * 24 * time.Hour
	// MaxGrace is how long a token may live on after its rotation.
	MaxGrace = 30 * 24 * time.Hour
)

// Token describes a token, without its secret.
type Token struct {
	ID        string     `json:"id"`
	Name      string     `json:"name,omitempty"`
	Scopes    []Scope    `json:"scopes"`
	Instances []string   `json:"instances,omitempty"` // none: all
	Created   time.Time  `json:"created"`
	Expires   *time.Time `json:"expires,omitempty"`
	// LastUsed is accurate to a minute.
	LastUsed *time.Time `json:"lastUsed,omitempty"`
	// PreviousUntil is when the secret from before the last rotation ends.
	PreviousUntil *time.Time `json:"previousUntil,omitempty"`
}

// Caller is the maker of a request, with its rights.
type Caller struct {
	ID        string // of the token
	Name      string
	Scopes    []Scope
	Instances []string // none: all
	// Session is the id, and Until the end, of the session of a browser that has signed in.
	Session string
	Until   time.Time
}

// Owner is the caller of every request over the private socket of the host.
func Owner() Caller { return Caller{ID: "control", Scopes: allScopes} }

// May says whether the caller has a right.
func (c Caller) May(s Scope) bool { return slices.Contains(c.Scopes, s) }

// All says whether the caller may deal with every instance.
func (c Caller) All() bool { return len(c.Instances) == 0 }

// Covers says whether the caller may deal with an instance.
func (c Caller) Covers(instance string) bool {
	return c.All() || slices.Contains(c.Instances, instance)
}

// Gives says whether the caller has all these rights, so that it may give them to a token or see the
// secret of a token that has them.
func (c Caller) Gives(scopes []Scope) bool {
	return !slices.ContainsFunc(scopes, func(s Scope) bool { return !c.May(s) })
}

// instanceName matches a node's name for an instance. It has no spaces, which separate the stored names.
var instanceName = regexp.MustCompile(`^[!-~]{1,100}$`)

// check refuses properties that no token may have.
func (t Token) check(now time.Time) error {
	if err := checkScopes(t.Scopes); err != nil {
		return err
	}
	switch {
	case len(t.Name) > maxName || strings.ContainsFunc(t.Name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return refuse("/name", fmt.Sprintf("a name has at most %d bytes and no control characters", maxName))
	case len(t.Instances) > maxInstances:
		return refuse("/instances", fmt.Sprintf("a token names at most %d instances; leave them out for all", maxInstances))
	case t.Expires != nil && !t.Expires.After(now):
		return refuse("/expires", "that is over already")
	}
	for i, name := range t.Instances {
		if !instanceName.MatchString(name) {
			return refuse(fmt.Sprintf("/instances/%d", i), "that is not the name of an instance")
		}
	}
	return nil
}

func checkScopes(scopes []Scope) error {
	if len(scopes) == 0 {
		return refuse("/scopes", "name at least one scope: "+scopeNames())
	}
	for i, s := range scopes {
		if !slices.Contains(allScopes, s) || slices.Contains(scopes[:i], s) {
			return refuse(fmt.Sprintf("/scopes/%d", i), "scopes are "+scopeNames()+", each once")
		}
	}
	return nil
}

func scopeNames() string { return strings.ReplaceAll(scopesText(allScopes), " ", ", ") }

func scopesText(scopes []Scope) string {
	var names []string
	for _, s := range scopes {
		names = append(names, string(s))
	}
	return strings.Join(names, " ")
}

func refuse(pointer, message string) error {
	return &sdk.Problem{Code: "invalid", HTTPStatus: http.StatusUnprocessableEntity, Message: strings.TrimPrefix(pointer, "/") + ": " + message,
		Effect: sdk.EffectNone, Fault: sdk.FaultCaller, Violations: []sdk.Violation{{Pointer: pointer, Code: "invalid", Message: message}}}
}

// newSecret makes a secret of 256 random bits, enough that keeping its plain hash is safe.
func newSecret(prefix string) (secret string, hash [sha256.Size]byte) {
	raw := make([]byte, 32)
	rand.Read(raw)
	secret = prefix + base64.RawURLEncoding.EncodeToString(raw)
	return secret, sha256.Sum256([]byte(secret))
}

// newID makes an id by which people tell tokens apart.
func newID() string { return "t" + strings.ToLower(rand.Text()[:10]) }
