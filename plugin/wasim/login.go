package wasim

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"
)

// login identifies the client; false means that the client is being refused.
func (c *conn) login(static [32]byte, who *waWa6.ClientPayload) bool {
	if who.GetUserAgent().GetAppVersion().GetTertiary() < c.s.opts.Oldest {
		c.fail(LoginFailure{Reason: 405})
		return false
	}
	if who.GetDevicePairingData() != nil {
		return c.registering(static, who.GetDevicePairingData())
	}
	phone := strconv.FormatUint(who.GetUsername(), 10)
	f := c.s.fault(FaultEvent{Stage: StageLogin, Account: phone, Type: "login"})
	if !c.entrance(f) {
		return false
	}
	a := c.s.find(types.NewJID(phone, types.DefaultUserServer))
	var d *Device
	if a != nil {
		a.mu.Lock()
		failure := a.failure
		a.mu.Unlock()
		if failure != nil {
			c.fail(*failure)
			return false
		}
		d = a.device(uint16(who.GetDevice()))
	}
	if d == nil || d.played || subtle.ConstantTimeCompare(d.static[:], static[:]) != 1 {
		c.fail(LoginFailure{Reason: 401})
		return false
	}
	c.dev = d // before attach, which makes the connection known to others
	if !d.attach(c) {
		c.fail(LoginFailure{Reason: 401})
		return false
	}
	c.send(waBinary.Node{Tag: "success", Attrs: waBinary.Attrs{
		"t": time.Now().Unix(), "lid": d.lid, "props": 1, "location": "sim",
	}})
	if f.Disconnect == After {
		c.out.end()
	}
	if !who.GetPassive() {
		d.activate(c)
	}
	a.changed()
	return true
}

// entrance applies a fault of the login stage and reports whether the client is admitted.
func (c *conn) entrance(f Fault) bool {
	if !c.pause(f) {
		c.cancel()
		return false
	}
	switch {
	case f.LoginFailure != nil:
		c.fail(*f.LoginFailure)
	case f.StreamError != nil:
		c.bye(streamError(f.StreamError.Code, ""))
	case f.Replaced:
		c.bye(streamError(0, "replaced"))
	default:
		return true
	}
	return false
}

func (c *conn) fail(f LoginFailure) {
	attrs := waBinary.Attrs{"reason": f.Reason, "location": "sim"}
	if f.Code != 0 {
		attrs["code"] = f.Code
	}
	if f.Expire != 0 {
		attrs["expire"] = f.Expire
	}
	if f.Message != "" {
		attrs["message"] = f.Message
	}
	c.bye(waBinary.Node{Tag: "failure", Attrs: attrs})
}

// registration is what an unpaired client has said about itself.
type registration struct {
	static   [32]byte
	identity [32]byte
	keys     *keyring
}

// registering admits an unpaired client, which gets six references to show as QR codes.
func (c *conn) registering(static [32]byte, data *waWa6.ClientPayload_DevicePairingRegistrationData) bool {
	if !c.entrance(c.s.fault(FaultEvent{Stage: StageLogin, Type: "register"})) {
		return false
	}
	signed := waBinary.Node{Tag: "skey", Content: []waBinary.Node{
		{Tag: "id", Content: data.GetESkeyID()}, {Tag: "value", Content: data.GetESkeyVal()}, {Tag: "signature", Content: data.GetESkeySig()},
	}}
	if checkSigned(data.GetEIdent(), &signed) != nil || len(data.GetERegid()) != 4 {
		c.fail(LoginFailure{Reason: 400, Message: "registration keys are not valid"})
		return false
	}
	c.reg = &registration{
		static: static, identity: [32]byte(data.GetEIdent()),
		keys: &keyring{registration: data.GetERegid(), identity: data.GetEIdent(), signed: signed},
	}
	refs := make([]waBinary.Node, 6)
	c.s.mu.Lock()
	for i := range refs {
		ref := newRef()
		refs[i] = waBinary.Node{Tag: "ref", Content: []byte(ref)}
		c.refs = append(c.refs, ref)
		c.s.waiting[ref] = c
	}
	c.s.mu.Unlock()
	c.send(waBinary.Node{
		Tag:     "iq",
		Attrs:   waBinary.Attrs{"from": types.ServerJID, "type": "set", "id": c.s.nextID(), "xmlns": "md"},
		Content: []waBinary.Node{{Tag: "pair-device", Content: refs}},
	})
	return true
}

func newRef() string {
	raw := make([]byte, 24)
	rand.Read(raw)
	return "2@" + base64.RawURLEncoding.EncodeToString(raw)
}

func (s *Server) nextID() string { return "sim-" + strconv.FormatUint(s.ids.Add(1), 10) }
