package clicks

import (
	"slices"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/internal/typed"
	"github.com/tapnode/tapnode/plugin/internal/buttons"
)

// ClickFilter is the filter of whatsapp.buttonClick. An empty list matches everything.
type ClickFilter struct {
	Instances    []string
	Chats        string // any, private or group; empty is any
	ButtonIDs    []string
	Sources      []string
	UnknownMenus bool // also clicks without a known menu
	Refused      bool // also clicks that the rules of the menu refused
}

// MessageFilter is the filter of whatsapp.messageReceived.
type MessageFilter struct {
	Instances []string
	Chats     string
	Kinds     []string
	Keywords  []string
}

// ParseClickFilter reads a filter. Empty data matches everything except clicks without a known menu
// and refused clicks.
func ParseClickFilter(data []byte) (ClickFilter, []buttons.Violation) {
	var f ClickFilter
	violations := parseFilter(data, &f.Chats, func(o *jsonstrict.Object) {
		o.Strings("instances", &f.Instances)
		o.String("chats", &f.Chats)
		o.Strings("buttonIds", &f.ButtonIDs)
		o.Strings("sources", &f.Sources)
		o.Bool("unknownMenus", &f.UnknownMenus)
		o.Bool("refused", &f.Refused)
	})
	return f, violations
}

// ParseMessageFilter reads a filter. Empty data matches everything.
func ParseMessageFilter(data []byte) (MessageFilter, []buttons.Violation) {
	var f MessageFilter
	violations := parseFilter(data, &f.Chats, func(o *jsonstrict.Object) {
		o.Strings("instances", &f.Instances)
		o.String("chats", &f.Chats)
		o.Strings("kinds", &f.Kinds)
		o.Strings("keywords", &f.Keywords)
	})
	return f, violations
}

// parseFilter returns every violation. chats points to where fill stores the member "chats".
func parseFilter(data []byte, chats *string, fill func(*jsonstrict.Object)) []buttons.Violation {
	if len(data) == 0 {
		return nil
	}
	var violations []buttons.Violation
	for _, fault := range jsonstrict.Read(data, buttons.Limits, fill) {
		violations = append(violations, buttons.Violation{
			Pointer: fault.Pointer, Code: buttons.CodeInvalidBody,
			Message: "Invalid filter: " + fault.Message, Suggestion: fault.Suggestion,
		})
	}
	if !slices.Contains([]string{"", "any", Private, Group}, *chats) {
		violations = append(violations, buttons.Violation{
			Pointer: "/chats", Code: buttons.CodeInvalidRequest,
			Message: "Chats must be one of: any, private, group", Suggestion: "leave it out for any",
		})
	}
	return violations
}

// Match reports whether an event passes.
func (f ClickFilter) Match(e Clicked) bool {
	if e.Menu == nil && !f.UnknownMenus || e.Click.Refused != nil && !f.Refused {
		return false
	}
	source := ""
	if e.Menu != nil {
		source = e.Menu.Source
	}
	return among(f.Instances, e.Instance) && inChat(f.Chats, e.Chat) &&
		among(f.ButtonIDs, e.Button.ID) && among(f.Sources, source)
}

// All reports whether every event of the filter's instances passes.
func (f MessageFilter) All() bool {
	return (f.Chats == "" || f.Chats == "any") && len(f.Kinds)+len(f.Keywords) == 0
}

// Match reports whether an event passes.
func (f MessageFilter) Match(e MessageReceived) bool {
	if !among(f.Instances, e.Instance) || !inChat(f.Chats, e.Chat) || !among(f.Kinds, string(e.Kind)) {
		return false
	}
	text := typed.Fold(e.Text)
	return len(f.Keywords) == 0 || slices.ContainsFunc(f.Keywords, func(keyword string) bool {
		return typed.Fold(keyword) == text
	})
}

func among(allowed []string, value string) bool {
	return len(allowed) == 0 || slices.Contains(allowed, value)
}

func inChat(wanted string, chat Chat) bool {
	return wanted == "" || wanted == "any" || wanted == chat.Type
}
