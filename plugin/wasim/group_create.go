package wasim

import (
	"errors"
	"slices"
	"unicode/utf8"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

const maxSubject = 100 // characters of a group's name

// createGroup makes a group of a client's account and the users it names, and notifies each of them. A user without an
// account is left out and reported with an error in the answer. Of the settings only the subject is kept.
func (c *conn) createGroup(create *waBinary.Node) ([]waBinary.Node, *IQError) {
	members := []*Account{c.dev.account}
	var left []waBinary.Node
	for _, n := range create.GetChildrenByTag("participant") {
		jid := address(&n, "jid")
		switch a := c.s.find(jid); {
		case a == nil && jid.IsEmpty():
			return nil, &IQError{Code: 400, Text: "bad-request"}
		case a == nil:
			left = append(left, waBinary.Node{Tag: "participant", Attrs: waBinary.Attrs{"jid": jid, "error": 404}})
		case !slices.Contains(members, a):
			members = append(members, a)
		}
	}
	subject := text(create, "subject")
	if utf8.RuneCountInString(subject) > maxSubject {
		return nil, &IQError{Code: 406, Text: "not-acceptable"}
	}
	g, err := c.s.NewGroup(subject, members...)
	switch {
	case errors.Is(err, ErrTooMany):
		return nil, &IQError{Code: 429, Text: "rate-overlimit"}
	case err != nil: // too many members
		return nil, &IQError{Code: 406, Text: "not-acceptable"}
	}
	g.announce(c.dev)
	answer := g.node()
	answer.Content = append(answer.GetChildren(), left...)
	return []waBinary.Node{answer}, nil
}

// announce notifies every device of every member, except the maker, of the new group.
func (g *Group) announce(maker *Device) {
	extra := waBinary.Attrs{"participant": maker.in(g.server()).ToNonAD(), "notify": maker.account.name()}
	if g.mode == types.AddressingModeLID && !maker.account.cfg.hidden {
		extra["participant_pn"] = maker.account.jid
	}
	create := waBinary.Node{Tag: "create", Attrs: waBinary.Attrs{"type": "new"}, Content: []waBinary.Node{g.node()}}
	for _, a := range *g.members.Load() {
		for _, d := range *a.list.Load() {
			if d != maker && !d.played {
				d.notify("w:gp2", g.jid, extra, create)
			}
		}
	}
}
