package wasim

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/plugin/wasim/internal/jsonapi"
)

// accountView is an account in the control API.
type accountView struct {
	Number  string       `json:"number"`
	LID     string       `json:"lid"`
	Name    string       `json:"name"`
	Kind    string       `json:"kind"` // account: the server plays the phone; phone: a customer with an inbox; foreign: a program of the caller
	Devices []deviceView `json:"devices"`
}

type deviceView struct {
	Index   uint16 `json:"index"` // 0 is the phone
	JID     string `json:"jid"`
	Online  bool   `json:"online"`
	Logins  int    `json:"logins"`
	Pending int    `json:"pending"` // stanzas that it has not acknowledged
}

func viewAccount(a *Account) accountView {
	v := accountView{Number: a.phone, LID: a.lid.String(), Name: a.name(), Kind: "phone", Devices: []deviceView{}}
	if a.foreign {
		v.Kind = "foreign"
	}
	for _, d := range a.Devices() {
		if d.played {
			v.Kind = "account"
		}
		v.Devices = append(v.Devices, deviceView{Index: d.jid.Device, JID: d.jid.String(), Online: d.Online() || d.played, Logins: d.Logins(), Pending: d.Pending()})
	}
	return v
}

// newNumber is the request body that creates an account or a phone.
type newNumber struct {
	Number       string   `json:"number"`
	Name         string   `json:"name"`
	Aliases      []string `json:"aliases"`
	HiddenNumber bool     `json:"hiddenNumber"`
	RequireToken bool     `json:"requireToken"`
	Business     bool     `json:"business"`
	Passkey      bool     `json:"requirePasskey"`
}

func (n newNumber) options() []Option {
	var o []Option
	if n.Name != "" {
		o = append(o, PushName(n.Name))
	}
	if len(n.Aliases) > 0 {
		o = append(o, Aliases(n.Aliases...))
	}
	if n.HiddenNumber {
		o = append(o, HiddenNumber())
	}
	if n.RequireToken {
		o = append(o, RequireToken())
	}
	if n.Business {
		o = append(o, Business())
	}
	if n.Passkey {
		o = append(o, RequirePasskey())
	}
	return o
}

func (s *Server) accountEndpoints() []jsonapi.Endpoint {
	return []jsonapi.Endpoint{
		{Method: "GET", Path: "accounts", Summary: "list every number with its devices", Curl: "$SIM/accounts", Handle: s.listAccounts},
		{Method: "POST", Path: "accounts", Summary: "make a number whose phone the server plays, for a client to be linked to",
			Curl: `$SIM/accounts -d '{"number":"5511900000001","name":"Shop"}'`, Handle: s.createAccount},
		{Method: "POST", Path: "foreign-phones", Summary: "make a number whose phone is a program of yours; the answer is what it logs in with, as device 0",
			Curl: `$SIM/foreign-phones -d '{"number":"5511900000003","name":"Bia"}'`, Handle: s.createForeignPhone},
		{Method: "POST", Path: "accounts/{number}/scan", Summary: "scan the QR code a client shows",
			Curl: `$SIM/accounts/5511900000001/scan -d '{"qr":"https://wa.me/settings/linked_devices#…"}'`, Handle: s.scanQR},
		{Method: "POST", Path: "accounts/{number}/code", Summary: "type the eight-character code a client shows",
			Curl: `$SIM/accounts/5511900000001/code -d '{"code":"ABCD-2345"}'`, Handle: s.enterCode},
		{Method: "POST", Path: "accounts/{number}/devices/{index}/{action}", Summary: "drop, replaced, logout, or streamError with a code, on one device",
			Curl: `-X POST $SIM/accounts/5511900000001/devices/1/drop`, Handle: s.disturbDevice},
		{Method: "POST", Path: "groups", Summary: "make a group of numbers; the first is its creator",
			Curl: `$SIM/groups -d '{"subject":"Team","members":["5511900000001","5511900000002"]}'`, Handle: s.createGroup},
	}
}

func (s *Server) listAccounts(r *jsonapi.Request) (any, error) {
	if _, err := r.Query(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	all := make([]*Account, 0, len(s.lids))
	for _, a := range s.lids {
		all = append(all, a)
	}
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b *Account) int { return strings.Compare(a.phone, b.phone) })
	views := make([]accountView, len(all))
	for i, a := range all {
		views[i] = viewAccount(a)
	}
	return views, nil
}

func (s *Server) createAccount(r *jsonapi.Request) (any, error) {
	var in newNumber
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	a, err := s.NewAccount(in.Number, in.options()...)
	if err != nil {
		return nil, err
	}
	return jsonapi.Created{Value: viewAccount(a)}, nil
}

func (s *Server) createForeignPhone(r *jsonapi.Request) (any, error) {
	var in newNumber
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	_, credentials, err := s.NewForeignPhone(in.Number, in.options()...)
	if err != nil {
		return nil, err
	}
	return jsonapi.Created{Value: credentials}, nil
}

func (s *Server) createGroup(r *jsonapi.Request) (any, error) {
	var in struct {
		Subject string   `json:"subject"`
		Members []string `json:"members"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	members := make([]*Account, len(in.Members))
	for i, number := range in.Members {
		if members[i] = s.Account(number); members[i] == nil {
			return nil, jsonstrict.Errorf("/members/"+strconv.Itoa(i), "no account has this number")
		}
	}
	g, err := s.NewGroup(in.Subject, members...)
	if err != nil {
		return nil, jsonstrict.Errorf("/members", "%s", err)
	}
	return jsonapi.Created{Value: struct {
		JID string `json:"jid"`
	}{g.JID().String()}}, nil
}

func (s *Server) scanQR(r *jsonapi.Request) (any, error) {
	var in struct {
		QR string `json:"qr"`
	}
	return s.link(r, &in, func(ctx context.Context, a *Account) error { return a.Scan(ctx, in.QR) })
}

func (s *Server) enterCode(r *jsonapi.Request) (any, error) {
	var in struct {
		Code string `json:"code"`
	}
	return s.link(r, &in, func(ctx context.Context, a *Account) error { return a.EnterCode(ctx, in.Code) })
}

func (s *Server) link(r *jsonapi.Request, in any, how func(context.Context, *Account) error) (any, error) {
	a, err := s.pathAccount(r)
	if err != nil {
		return nil, err
	}
	if err := r.Decode(in); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
	defer cancel()
	if err := how(ctx, a); err != nil {
		return nil, err
	}
	return viewAccount(a), nil
}

func (s *Server) disturbDevice(r *jsonapi.Request) (any, error) {
	a, err := s.pathAccount(r)
	if err != nil {
		return nil, err
	}
	index, err := strconv.ParseUint(r.PathValue("index"), 10, 16)
	d := a.device(uint16(index))
	if err != nil || d == nil {
		return nil, jsonapi.Refuse(http.StatusNotFound, "the account has no device %s", r.PathValue("index"))
	}
	connected := true
	switch action := r.PathValue("action"); action {
	case "drop":
		connected = d.Drop()
	case "replaced":
		connected = d.Replaced()
	case "logout":
		d.Logout()
	case "streamError":
		var in StreamError
		if err := r.Decode(&in); err != nil {
			return nil, err
		}
		connected = d.StreamError(in.Code)
	default:
		return nil, jsonapi.Refuse(http.StatusNotFound, "no action %q; there are drop, replaced, logout and streamError", action)
	}
	if !connected {
		return nil, jsonapi.Refuse(http.StatusConflict, "the device is not connected")
	}
	return nil, nil
}
