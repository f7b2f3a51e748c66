package wasim

import (
	"bytes"
	"crypto/rand"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

const maxTokens = 20_000 // that one account may give

// onPrivacy hands out privacy tokens and keeps the account's privacy settings.
func onPrivacy(c *conn, iq *waBinary.Node) ([]waBinary.Node, *IQError) {
	a := c.dev.account
	what := child(iq, "privacy")
	if tokens := child(iq, "tokens"); tokens != nil {
		for _, t := range tokens.GetChildren() {
			if to := c.s.find(address(&t, "jid")); to != nil {
				a.give(to)
			}
		}
		return nil, nil
	}
	if text(iq, "type") == "set" && what != nil {
		for _, category := range what.GetChildren() {
			a.setPrivacy(types.PrivacySettingType(text(&category, "name")), text(&category, "value"))
		}
	}
	return []waBinary.Node{a.privacy()}, nil
}

// give makes another account trusted: its devices receive a token that they show with their messages.
func (a *Account) give(to *Account) {
	a.mu.Lock()
	token := a.tokens[to.lid.User]
	if token == nil && len(a.tokens) < maxTokens {
		token = make([]byte, 16)
		rand.Read(token)
		a.tokens[to.lid.User] = token
	}
	a.mu.Unlock()
	if token == nil {
		return
	}
	for _, d := range *to.list.Load() {
		if d.played {
			continue
		}
		d.notify("privacy_token", a.lid, waBinary.Attrs{"sender_lid": a.lid}, waBinary.Node{Tag: "tokens", Content: []waBinary.Node{{
			Tag: "token", Attrs: waBinary.Attrs{"type": "trusted_contact", "t": time.Now().Unix()}, Content: token,
		}}})
	}
}

// gave reports whether the token is the one this account has given to the other.
func (a *Account) gave(to *Account, token []byte) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	given := a.tokens[to.lid.User]
	return given != nil && bytes.Equal(given, token)
}

// defaultPrivacy are the privacy settings of a new account.
var defaultPrivacy = []struct {
	name  types.PrivacySettingType
	value string
}{
	{types.PrivacySettingTypeReadReceipts, "all"}, {types.PrivacySettingTypeLastSeen, "all"},
	{types.PrivacySettingTypeProfile, "all"}, {types.PrivacySettingTypeStatus, "all"},
	{types.PrivacySettingTypeOnline, "all"}, {types.PrivacySettingTypeGroupAdd, "all"}, {types.PrivacySettingTypeCallAdd, "all"},
}

func (a *Account) setPrivacy(name types.PrivacySettingType, value string) {
	for _, p := range defaultPrivacy {
		if p.name != name {
			continue
		}
		a.mu.Lock()
		if a.settings == nil {
			a.settings = make(map[types.PrivacySettingType]string)
		}
		a.settings[name] = value
		a.mu.Unlock()
	}
}

func (a *Account) privacy() waBinary.Node {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]waBinary.Node, len(defaultPrivacy))
	for i, p := range defaultPrivacy {
		value := p.value
		if v, ok := a.settings[p.name]; ok {
			value = v
		}
		list[i] = waBinary.Node{Tag: "category", Attrs: waBinary.Attrs{"name": string(p.name), "value": value}}
	}
	return waBinary.Node{Tag: "privacy", Content: list}
}
