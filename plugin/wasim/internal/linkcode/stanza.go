package linkcode

import (
	"fmt"
	"regexp"
	"sync"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Tag is the element all stages are wrapped in, and the type of the notification that carries primary_hello.
const Tag = "link_code_companion_reg"

// The stages a companion sends, in the attribute of that name.
const (
	StageHello   = "companion_hello"
	StageFinish  = "companion_finish"
	StageCountry = "get_country_code"
)

// Hello is a companion that wants to be linked to the account of Phone.
type Hello struct {
	Phone    string // digits
	Locked   [lockedKey]byte
	NoiseKey [32]byte
	Platform string
	Display  string // "Browser (OS)"
	Push     bool   // the phone shall show a notification
}

// Finish is the companion's answer to the phone's hello.
type Finish struct {
	Ref      []byte
	Identity [32]byte
	Bundle   [saltLength + gcmNonce + bundle + gcmTag]byte
}

// display is the form the real server insists on (whatsmeow PairPhone: anything else is a 400).
// It is compiled when somebody pairs by code: that takes longer than most of what a process does before it begins.
var display = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N} .+-]{0,40} \([\p{L}\p{N}][\p{L}\p{N} ._-]{0,40}\)$`)
})

var platform = regexp.MustCompile(`^[0-9a-z]{1,2}$`)

// ParseHello reads a <link_code_companion_reg stage=companion_hello>. Every error is the client's: answer 400.
func ParseHello(reg waBinary.Node) (Hello, error) {
	var h Hello
	if err := stage(reg, StageHello); err != nil {
		return h, err
	}
	jid, ok := reg.Attrs["jid"].(types.JID)
	if !ok || jid.Server != types.DefaultUserServer || len(jid.User) < 7 {
		return h, fmt.Errorf("attribute jid must be a phone number on %s", types.DefaultUserServer)
	}
	h.Phone = jid.User
	h.Push = fmt.Sprint(reg.Attrs["should_show_push_notification"]) == "true"
	if err := fill(reg, "link_code_pairing_wrapped_companion_ephemeral_pub", h.Locked[:]); err != nil {
		return h, err
	}
	if err := fill(reg, "companion_server_auth_key_pub", h.NoiseKey[:]); err != nil {
		return h, err
	}
	h.Platform, h.Display = text(reg, "companion_platform_id"), text(reg, "companion_platform_display")
	if !platform.MatchString(h.Platform) {
		return h, fmt.Errorf("companion_platform_id %.20q is not known", h.Platform)
	}
	if !display().MatchString(h.Display) {
		return h, fmt.Errorf("companion_platform_display %.100q is not of the form Browser (OS)", h.Display)
	}
	return h, nil
}

// ParseFinish reads a <link_code_companion_reg stage=companion_finish>. Every error is the client's: answer 400.
func ParseFinish(reg waBinary.Node) (Finish, error) {
	var f Finish
	if err := stage(reg, StageFinish); err != nil {
		return f, err
	}
	f.Ref = content(reg, "link_code_pairing_ref")
	if err := fill(reg, "companion_identity_public", f.Identity[:]); err != nil {
		return f, err
	}
	return f, fill(reg, "link_code_pairing_wrapped_key_bundle", f.Bundle[:])
}

// HelloResult is the content of the result to companion_hello.
func (p *Pairing) HelloResult() waBinary.Node {
	return waBinary.Node{Tag: Tag, Attrs: waBinary.Attrs{"stage": StageHello},
		Content: []waBinary.Node{{Tag: "link_code_pairing_ref", Content: p.ref}}}
}

// CountryResult is the content of the result to get_country_code.
func CountryResult(iso string) waBinary.Node {
	return waBinary.Node{Tag: Tag, Attrs: waBinary.Attrs{"stage": StageCountry},
		Content: []waBinary.Node{{Tag: "country_code", Attrs: waBinary.Attrs{"iso": iso}}}}
}

func primaryHello(ref, locked, identity []byte) waBinary.Node {
	return waBinary.Node{Tag: Tag, Attrs: waBinary.Attrs{"stage": "primary_hello"}, Content: []waBinary.Node{
		{Tag: "link_code_pairing_wrapped_primary_ephemeral_pub", Content: locked},
		{Tag: "primary_identity_pub", Content: identity},
		{Tag: "link_code_pairing_ref", Content: ref},
	}}
}

func stage(reg waBinary.Node, want string) error {
	if got, _ := reg.Attrs["stage"].(string); reg.Tag != Tag || got != want {
		return fmt.Errorf("want <%s stage=%s>, got <%.40s stage=%.40s>", Tag, want, reg.Tag, got)
	}
	return nil
}

// fill copies the content of a child that must have exactly the length of dst.
func fill(reg waBinary.Node, tag string, dst []byte) error {
	got := content(reg, tag)
	if len(got) != len(dst) {
		return fmt.Errorf("%s must have %d bytes, not %d", tag, len(dst), len(got))
	}
	copy(dst, got)
	return nil
}

// content is the bytes of a child; whatsmeow's encoder may have turned a known word into a token, read as a string.
func content(reg waBinary.Node, tag string) []byte {
	switch c := reg.GetChildByTag(tag).Content.(type) {
	case []byte:
		return c
	case string:
		return []byte(c)
	default:
		return nil
	}
}

func text(reg waBinary.Node, tag string) string { return string(content(reg, tag)) }
