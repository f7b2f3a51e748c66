package clicks

import (
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
)

func yesNo() []buttons.Button {
	return []buttons.Button{
		{ID: "https://example.com", DisplayText: "Read more", Type: buttons.URL},
		{ID: "yes", DisplayText: "Yes"},
		{ID: "no", DisplayText: "No", Type: buttons.Reply},
	}
}

func TestCorrelate(t *testing.T) {
	ana := Menu{MessageID: menuID, Chat: []string{anaPhone, anaLID}, SentAt: noon, Buttons: yesNo()}
	byPhone, byLID := ana, ana
	byPhone.Chat, byLID.Chat = []string{anaPhone}, []string{anaLID}
	newer := ana
	newer.MessageID, newer.SentAt = "3EB0NEW", noon.Add(time.Hour)
	asText := ana
	asText.AsText = true
	newerText := newer
	newerText.AsText = true
	foreign := ana
	foreign.Chat = []string{otherUser}
	team := ana
	team.Chat = []string{groupJID}

	tap := func(id, quote string) Click {
		c, _ := readClick(interactive(`{"id":"`+id+`"}`, "", quote), fromAna())
		return c
	}
	say := func(words, quote string) Click {
		c, _ := readClick(text(words, quote), fromAna())
		return c
	}
	groupTap, _ := readClick(interactive(`{"id":"yes"}`, "", menuID), inGroup())

	rows := []struct {
		name  string
		click Click
		menus []Menu
		want  string // message id, index, how; empty for none
	}{
		{"quote", tap("no", menuID), []Menu{newer, ana}, menuID + " 2 quote"},
		{"quote, menu stored by phone only", tap("no", menuID), []Menu{byPhone}, menuID + " 2 quote"},
		{"quote, menu stored by LID only", tap("no", menuID), []Menu{byLID}, menuID + " 2 quote"},
		{"quote in a group", groupTap, []Menu{team}, menuID + " 1 quote"},
		{"quote of another chat's menu is forged", tap("yes", menuID), []Menu{foreign}, ""},
		{"private tap on a group's menu is forged", tap("yes", menuID), []Menu{team}, ""},
		{"group tap on a private menu is forged", groupTap, []Menu{ana}, ""},
		{"quote of an unknown menu is not misread as a newer one", tap("yes", "3EB0GONE"), []Menu{ana}, ""},
		{"quoted menu lacks the button, newer one has it", tap("maybe", menuID), []Menu{ana, {MessageID: "3EB0NEW", Chat: []string{anaLID}, Buttons: []buttons.Button{{ID: "maybe"}}}}, ""},
		{"a link cannot be tapped", tap("https://example.com", menuID), []Menu{ana}, ""},
		{"ids are exact", tap("YES", menuID), []Menu{ana}, ""},
		{"no quote: by chat", tap("yes", ""), []Menu{ana}, menuID + " 1 chat"},
		{"no quote, two menus: the newest, and said so", tap("yes", ""), []Menu{newer, ana}, "3EB0NEW 1 chat ambiguous"},
		{"the same menu twice is not ambiguous", tap("yes", ""), []Menu{ana, ana}, menuID + " 1 chat"},
		{"no quote, other chat", tap("yes", ""), []Menu{foreign, team}, ""},
		{"no menus", tap("yes", menuID), nil, ""},

		{"quoted words are a label", say(" yes ", menuID), []Menu{newer, ana}, menuID + " 1 text"},
		{"quoted words are not an id", say("no thanks", menuID), []Menu{ana}, ""},
		{"quoted number counts only for a text menu", say("1", menuID), []Menu{ana}, ""},
		{"quoted number of a text menu", say("2", menuID), []Menu{asText}, menuID + " 2 text"},
		{"words without quote on a button menu are words", say("Yes", ""), []Menu{ana}, ""},
		{"number without quote on a text menu", say("1.", ""), []Menu{asText}, menuID + " 1 text"},
		{"label without quote on a text menu", say("NO", ""), []Menu{asText}, menuID + " 2 text"},
		{"two text menus: the newest, and said so", say("1", ""), []Menu{asText, newerText}, "3EB0NEW 1 text ambiguous"},
		{"a number beyond the menu", say("3", ""), []Menu{asText}, ""},
		{"chatter", say("Yes please, and call me", ""), []Menu{asText}, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := describe(Correlate(row.click, row.menus)); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func describe(m Match) string {
	if m.Menu == nil {
		return map[bool]string{true: "", false: "no menu, but matched"}[m.MatchedBy == ByNone && m.Index == -1 && !m.Ambiguous]
	}
	s := m.Menu.MessageID + " "
	if m.Index >= 0 {
		s += string(rune('0'+m.Index)) + " "
	}
	s += string(m.MatchedBy)
	if m.Ambiguous {
		s += " ambiguous"
	}
	return s
}

func TestAnswers(t *testing.T) {
	old := Menu{MessageID: menuID, Chat: []string{anaLID}, SentAt: noon, Buttons: yesNo()}
	newer := Menu{MessageID: "3EB0NEW", Chat: []string{anaLID, groupJID}, SentAt: noon.Add(time.Hour), Buttons: yesNo()}
	say := func(quote string) Click {
		r, _ := readReceived(text("What about Tuesday?", quote), fromAna())
		return r.Click()
	}
	shout, _ := readReceived(text("Hello all", ""), inGroup())
	answer, _ := readReceived(text("Me!", "3EB0NEW"), inGroup())
	for name, row := range map[string]struct {
		click Click
		want  string
	}{
		"quoted":              {say(menuID), menuID + " quote"},
		"newest of the chat":  {say(""), "3EB0NEW chat ambiguous"},
		"quoting others":      {say("3A00"), ""},
		"group, unaddressed":  {shout.Click(), ""},
		"group, quoting menu": {answer.Click(), "3EB0NEW quote"},
	} {
		if got := describe(Answers(row.click, []Menu{old, newer})); got != row.want {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
}
