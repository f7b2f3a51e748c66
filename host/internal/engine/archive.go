package engine

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// Archive is the part of a Log with which people look for runs and manage versions of flows.
// Package enginetest has the tests that every implementation must pass.
type Archive interface {
	// Runs finds runs, the newest first. It looks at a bounded number of runs: a page may
	// have fewer than were asked for, even none, and still say that there are more.
	Runs(ctx context.Context, q Query) (Page, error)

	// Found is one run as Runs shows it. ErrNotFound if there is none.
	Found(ctx context.Context, run string) (Found, error)

	// Waiting counts the runs that wait at a node, by the digest of their version. It counts a
	// bounded number of runs, the newest.
	Waiting(ctx context.Context, flow, node string) (map[string]int, error)

	// Versions returns the versions of a flow, the newest first, without their sources.
	Versions(ctx context.Context, flow string) ([]Version, error)

	// Published returns the versions that start runs, one for each flow, with their sources, sorted
	// by flow. Every change of them changes the generation.
	Published(ctx context.Context) (generation uint64, all []Version, err error)

	// Changed returns when the generation is no longer the given one: nil, or the error of ctx.
	Changed(ctx context.Context, generation uint64) error

	// Flows returns the versions of all flows without their sources, sorted by flow, the newest
	// first. waiting is how many runs of a version wait, by the version's digest, counted among a
	// bounded number of the newest runs.
	Flows(ctx context.Context) (all []Version, waiting map[string]int, err error)

	// Counted returns the figures from one hour up to, but not including, another: see the type
	// Counted. They include the versions that were published.
	Counted(ctx context.Context, from, to int64, slot int, flow, instance string) (Counted, error)

	// DropDraft removes the draft of a flow. ErrNotFound if it has none.
	DropDraft(ctx context.Context, flow string) error

	// Retire makes a flow start no more runs. ErrNotFound if it has no published version.
	Retire(ctx context.Context, flow string) error
}

// Query says which runs are wanted. Empty fields match all runs.
type Query struct {
	Flow    string
	Version int // of Flow, which must be set, too
	Status  run.Status
	Trial   *bool  // only trials, or only others
	Node    string // of Flow, which must be set, too: where the run has an armed wait or a delay
	About   string // a subject, in any form that the function subject takes: a phone number, a LID, the id of a message
	Since   time.Time
	Until   time.Time // exclusive
	After   string    // Page.Next of the page before
	Limit   int       // 1 to MaxPage; 0 is DefaultPage
}

// Sizes of a page.
const (
	DefaultPage = 50
	MaxPage     = 500
)

// Page is a part of the runs that a Query finds.
type Page struct {
	Runs []Found
	// Next is the Query.After of the next page; empty: there is none.
	Next string
}

// Found is a run in a list.
type Found struct {
	Run     string     `json:"run"`
	Flow    string     `json:"flow"`
	Version int        `json:"version"`         // 0: no longer known
	Trial   bool       `json:"trial,omitempty"` // it tries a version out
	Status  run.Status `json:"status"`
	Started time.Time  `json:"started"`
	Ended   time.Time  `json:"ended,omitzero"`
	Error   string     `json:"error,omitempty"`
	Waits   []string   `json:"waitsAt,omitempty"`
	About   []string   `json:"about,omitempty"`
}

// ErrBadQuery means that a Query is invalid.
var ErrBadQuery = errors.New("this cannot be looked for")

// Place is the position of a run in a list, the newest first.
type Place struct {
	Started int64 // unix milliseconds
	Run     string
}

// Before reports whether a run at p comes later in a list than one at q.
func (p Place) Before(q Place) bool {
	return p.Started < q.Started || p.Started == q.Started && p.Run < q.Run
}

// String is the opaque form of Query.After.
func (p Place) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(p.Started, 36) + "." + p.Run))
}

// Unreadable is the status, in lists, of a run whose stored state nobody can read.
const Unreadable run.Status = "unreadable"

var statuses = []run.Status{run.StatusQueued, run.StatusRunning, run.StatusSucceeded, run.StatusFailed, run.StatusCancelled, Unreadable}

// Check validates a Query, brings its subject into the one form and sets its limit. It returns the
// place after which its page begins: that of the page before, or else the end of the time that is
// asked for.
func (q *Query) Check() (Place, error) {
	q.About = subject(q.About)
	switch {
	case q.Limit == 0:
		q.Limit = DefaultPage
	case q.Limit < 0 || q.Limit > MaxPage:
		return Place{}, fmt.Errorf("%w: limit: want 1 to %d", ErrBadQuery, MaxPage)
	}
	if q.Status != "" && !slices.Contains(statuses, q.Status) {
		return Place{}, fmt.Errorf("%w: status: want one of %v", ErrBadQuery, statuses)
	}
	if (q.Node != "" || q.Version != 0) && q.Flow == "" {
		return Place{}, fmt.Errorf("%w: a node, or a version, is one of a flow: name the flow, too", ErrBadQuery)
	}
	end := Place{Started: 1<<63 - 1}
	if !q.Until.IsZero() {
		end = Place{Started: q.Until.UnixMilli()}
	}
	if q.After == "" {
		return end, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(q.After)
	started, id, ok := strings.Cut(string(raw), ".")
	at, numErr := strconv.ParseInt(started, 36, 64)
	if err != nil || numErr != nil || !ok {
		return Place{}, fmt.Errorf("%w: the cursor: take it from the page before, as it is", ErrBadQuery)
	}
	if after := (Place{at, id}); after.Before(end) {
		end = after
	}
	return end, nil
}

// Matches reports whether a run matches the Query, apart from its place.
func (q *Query) Matches(f Found) bool {
	return (q.Flow == "" || q.Flow == f.Flow) &&
		(q.Version == 0 || q.Version == f.Version) &&
		(q.Status == "" || q.Status == f.Status) &&
		(q.Trial == nil || *q.Trial == f.Trial) &&
		(q.Node == "" || slices.Contains(f.Waits, q.Node)) &&
		(q.About == "" || slices.Contains(f.About, q.About)) &&
		(q.Since.IsZero() || !f.Started.Before(q.Since))
}

// At is the place of a run.
func (f Found) At() Place { return Place{f.Started.UnixMilli(), f.Run} }
