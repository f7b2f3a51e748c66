package clicks

import (
	"slices"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
)

// Menu is a sent menu as the store keeps it.
type Menu struct {
	MessageID   string
	Chat        []string // JIDs of the chat it was sent to: LID and phone, or the group's
	SentAt      time.Time
	Source      string
	Correlation string
	Traceparent string
	Buttons     []buttons.Button
	AsText      bool      // it went out as numbered text
	ExpiresAt   time.Time // zero: never
	Allowed     []string  // JIDs of those who may answer; none: everybody
}

// MatchedBy says how a menu was found.
type MatchedBy string

// The ways to find a menu.
const (
	ByQuote MatchedBy = "quote" // the answer quotes the menu
	ByChat  MatchedBy = "chat"  // the menu was sent to the chat and, for a click, has the button
	ByText  MatchedBy = "text"  // the typed label or number is one of its buttons
	ByNone  MatchedBy = "none"  // no menu of ours
)

// Match is the menu and the button that a click belongs to.
type Match struct {
	Menu      *Menu // nil with ByNone
	Index     int   // of the button, from 0
	MatchedBy MatchedBy
	Ambiguous bool // more than one menu matched; this is the newest
}

// Button returns the button that was clicked. Menu must not be nil.
func (m Match) Button() buttons.Button { return m.Menu.Buttons[m.Index] }

// Correlate finds our button that a click belongs to. menus holds the menu with the id
// Click.QuotedID, however old, and the menus of the click's chat that are still live, the newest
// first. Other menus and duplicates do no harm.
//
// A click that quotes a menu matches that menu or none: if the menu is unknown, was sent to another
// chat or lacks the button, a newer menu with the same button id must not match instead. Only a
// click that quotes nothing is matched by its button id among the menus of the chat. Words count as
// a click if they are exactly one label of the quoted menu, or a label or number of a menu that was
// sent as text.
func Correlate(c Click, menus []Menu) Match {
	var fitting []Match
	for i := range menus {
		menu := &menus[i]
		if !menu.sentTo(c) || c.QuotedID != "" && c.QuotedID != menu.MessageID {
			continue
		}
		if index, ok := menu.button(c); ok {
			fitting = append(fitting, Match{Menu: menu, Index: index, MatchedBy: c.way()})
		}
	}
	return newest(fitting)
}

// Answers finds the menu that words answer without being a click: the quoted one or, if they quote
// nothing, the newest of the chat. In a group only a quote counts, because people there mostly talk
// to each other. Words never answer a menu that has expired or that does not allow the person.
// Index is -1.
func Answers(c Click, menus []Menu) Match {
	var fitting []Match
	for i := range menus {
		menu := &menus[i]
		switch {
		case !menu.sentTo(c), !menu.listens(c):
		case c.QuotedID == "" && c.Chat.Type != Group:
			fitting = append(fitting, Match{Menu: menu, Index: -1, MatchedBy: ByChat})
		case c.QuotedID == menu.MessageID:
			fitting = append(fitting, Match{Menu: menu, Index: -1, MatchedBy: ByQuote})
		}
	}
	return newest(fitting)
}

func (m *Menu) sentTo(c Click) bool {
	return slices.ContainsFunc(c.Keys(), func(key string) bool { return slices.Contains(m.Chat, key) })
}

// listens checks the part of a menu's rules that also applies to words. Presses are judged in the
// store, where they are counted.
func (m *Menu) listens(c Click) bool {
	if !m.ExpiresAt.IsZero() && c.At.After(m.ExpiresAt) {
		return false
	}
	return len(m.Allowed) == 0 ||
		slices.ContainsFunc(c.Sender.Keys(), func(key string) bool { return slices.Contains(m.Allowed, key) })
}

func (m *Menu) button(c Click) (int, bool) {
	switch {
	case c.Form != FormText:
		i := slices.IndexFunc(m.Buttons, func(b buttons.Button) bool { return b.Kind() == buttons.Reply && b.ID == c.ButtonID })
		return i, i >= 0
	case m.AsText:
		return buttons.Answer(m.Buttons, c.Label)
	case c.QuotedID != "":
		return buttons.ByLabel(m.Buttons, c.Label)
	}
	return 0, false
}

func (c Click) way() MatchedBy {
	switch {
	case c.Form == FormText:
		return ByText
	case c.QuotedID != "":
		return ByQuote
	}
	return ByChat
}

func newest(fitting []Match) Match {
	if len(fitting) == 0 {
		return Match{Index: -1, MatchedBy: ByNone}
	}
	best := slices.MaxFunc(fitting, func(a, b Match) int { return a.Menu.SentAt.Compare(b.Menu.SentAt) })
	best.Ambiguous = slices.ContainsFunc(fitting, func(m Match) bool { return m.Menu.MessageID != best.Menu.MessageID })
	return best
}
