package recipient

import (
	"context"
	"errors"
	"testing"

	"go.mau.fi/whatsmeow/types"
)

func lid(user string) types.JID   { return types.NewJID(user, types.HiddenUserServer) }
func phone(user string) types.JID { return types.NewJID(user, types.DefaultUserServer) }

func TestChoose(t *testing.T) {
	const with, without = "5561987654321", "556187654321"
	both := []string{with, without}
	rows := []struct {
		name       string
		candidates []string
		answers    []Answer
		original   string
		want       types.JID
		warning    string
	}{
		{"as given", both, []Answer{{Query: "+" + with, Exists: true, JID: lid("1"), Phone: phone(with)}, {Query: without}}, with, lid("1"), ""},
		{"other form only", both, []Answer{{Query: with}, {Query: without + "@c.us", Exists: true, JID: phone(without)}}, with, phone(without), "number_adjusted"},
		{"one account under both", both, []Answer{{Query: without, Exists: true, JID: lid("1"), Phone: phone(without)}, {Query: with, Exists: true, JID: lid("1"), Phone: phone(without)}}, with, lid("1"), "number_adjusted"},
		{"LID once, phone once", both, []Answer{{Query: without, Exists: true, JID: phone(with), Phone: phone(with)}, {Query: with, Exists: true, JID: lid("1"), Phone: phone(with)}}, with, lid("1"), ""},
		{"two accounts", both, []Answer{{Query: without, Exists: true, JID: lid("2"), Phone: phone(without)}, {Query: with, Exists: true, JID: lid("1"), Phone: phone(with)}}, with, lid("1"), "number_ambiguous"},
		{"asked for one form, answered with the other", []string{with}, []Answer{{Query: with, Exists: true, JID: phone(without)}}, with, phone(without), "number_adjusted"},
		{"answers to other questions are ignored", both, []Answer{{Query: "15551234567", Exists: true, JID: lid("9")}, {Query: with, Exists: true, JID: lid("1")}}, with, lid("1"), ""},
		{"device part dropped", both, []Answer{{Query: with, Exists: true, JID: types.JID{User: "1", Device: 4, Server: types.HiddenUserServer}}}, with, lid("1"), ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, err := Choose(row.candidates, row.answers, row.original)
			if err != nil {
				t.Fatal(err)
			}
			if got.JID != row.want || got.Warning != row.warning || (got.Message == "") != (row.warning == "") {
				t.Errorf("got %+v, want %s %q", got, row.want, row.warning)
			}
		})
	}
	if _, err := Choose(both, []Answer{{Query: with}, {Query: without}}, with); !errors.Is(err, ErrNotOnWhatsApp) {
		t.Errorf("nobody there: %v", err)
	}
}

// directory is a resolver with fixed answers.
type directory map[string]types.JID

func (d directory) Lookup(_ context.Context, candidates []string) ([]Answer, error) {
	if d == nil {
		return nil, context.DeadlineExceeded
	}
	var answers []Answer
	for _, candidate := range candidates {
		jid, ok := d[candidate]
		answers = append(answers, Answer{Query: candidate, Exists: ok, JID: jid})
	}
	return answers, nil
}

func TestResolve(t *testing.T) {
	book := directory{"556187654321": lid("1")}
	r, _ := Parse("5561987654321")
	if got, err := Resolve(t.Context(), r, book); err != nil || got.JID != lid("1") || got.Warning != "number_adjusted" {
		t.Errorf("phone: %+v, %v", got, err)
	}
	group, _ := Parse("120363041234567890@g.us")
	if got, err := Resolve(t.Context(), group, directory(nil)); err != nil || got.JID != group.JID() {
		t.Errorf("a group needs no lookup: %+v, %v", got, err)
	}
	if _, err := Resolve(t.Context(), r, directory(nil)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the lookup's error: %v", err)
	}
}
