package events

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tapnode/tapnode/internal/netguard"
	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk"
)

// TestPublicOnly: unless private addresses are allowed, no event is sent to an address that is not
// public, given as an IP in any notation or as a name. The error does not reveal what is at the address.
func TestPublicOnly(t *testing.T) {
	p := open(t, sqlite(t.TempDir()))
	r := receive(t, nil)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(r.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	w, _ := p.create(t, Settings{URL: r.URL})
	p.opt.Private = false
	p.Service = New(p.opt)
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "127.1", "2130706433", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1",
		"169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "198.18.0.1", "224.0.0.1", "255.255.255.255",
	} {
		hook := *w
		hook.URL = "http://" + host + ":" + port + "/?secret"
		a := p.post(t.Context(), &hook, Event{}, 1)
		if a.ok() || a.Status != 0 || strings.Contains(a.Error, "secret") || strings.Contains(a.Error, port) {
			t.Errorf("%s: %+v", host, a)
		}
		if host != "127.1" && host != "2130706433" && !strings.Contains(a.Error, "not public") { // Go does not parse these as IP addresses
			t.Errorf("%s: %s", host, a.Error)
		}
	}
	if len(r.calls) != 0 {
		t.Error("it was called")
	}
	p.opt.Private = true
	p.Service = New(p.opt)
	for _, host := range []string{"169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200", "0.0.0.0", "[::]", "224.0.0.1", "[ff02::1]", "255.255.255.255", "[64:ff9b::a9fe:a9fe]"} {
		hook := *w
		hook.URL = "http://" + host + ":" + port + "/"
		if a := p.post(t.Context(), &hook, Event{}, 1); a.Status != 0 || !strings.Contains(a.Error, "not public") {
			t.Errorf("private ones are allowed, %s: %+v", host, a)
		}
		if _, _, err := p.Create(t.Context(), Settings{URL: hook.URL}, true); err == nil || !strings.Contains(err.Error(), "not public") {
			t.Errorf("private ones are allowed, %s can be set: %v", host, err)
		}
	}
	p.opt.Private = false
	p.Service = New(p.opt)
	if _, _, err := p.Create(t.Context(), Settings{URL: r.URL}, true); err == nil || !strings.Contains(err.Error(), "https") {
		t.Errorf("http was taken: %v", err)
	}
}

// TestNoRedirect: a redirect is not followed. It is a failure whose message says what to do.
func TestNoRedirect(t *testing.T) {
	p := open(t, sqlite(t.TempDir()))
	r := receive(t, nil)
	from := httptest.NewServer(http.RedirectHandler(r.URL, http.StatusTemporaryRedirect))
	defer from.Close()
	w, _ := p.create(t, Settings{URL: from.URL})
	a, err := p.Test(t.Context(), w.ID)
	if err != nil || a.Status != http.StatusTemporaryRedirect || !strings.Contains(a.Error, "not followed") || len(r.calls) != 0 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		settings Settings
		pointers string
	}{
		{Settings{URL: "https://crm.example/in?a=b"}, ""},
		{Settings{}, "/url"},
		{Settings{URL: "ftp://crm.example"}, "/url"},
		{Settings{URL: "http://crm.example"}, "/url"},
		{Settings{URL: "https:///in"}, "/url"},
		{Settings{URL: "https://10.0.0.1/in"}, "/url"},
		{Settings{URL: "https://[::ffff:169.254.169.254]/in"}, "/url"},
		{Settings{URL: "https://localhost:8443/in"}, "/url"},
		{Settings{URL: "https://user:pass@crm.example"}, "/url"},
		{Settings{URL: "https://crm.example/" + strings.Repeat("x", maxURL)}, "/url"},
		{Settings{URL: "https://crm.example", Form: "xml", Parallel: 65, Label: strings.Repeat("x", 101)}, "/form /label /parallel"},
		{Settings{URL: "https://crm.example", Token: true}, "/token"},
		{Settings{URL: "https://crm.example", Form: formSeed, Token: true, Events: []string{"message.exchange", "instance.state", "other.node.v2"}}, ""},
		{Settings{URL: "https://crm.example", Events: []string{"whatsapp.button.clicked.v1", "clicks"}, Instances: []string{""}}, "/events/1 /instances"},
	} {
		var got []string
		for _, v := range c.settings.check(&netguard.Guard{}) {
			got = append(got, v.Pointer)
		}
		if strings.Join(got, " ") != c.pointers {
			t.Errorf("%+.80v: %v, want %s", c.settings, got, c.pointers)
		}
	}
}

// TestBodiesFitTheirSchemas checks the examples of the catalogue in both forms.
func TestBodiesFitTheirSchemas(t *testing.T) {
	s := New(Options{DB: open(t, sqlite(t.TempDir())).opt.DB})
	forms := map[string]*jsonschema.Schema{}
	for form, name := range map[string]string{formCloudEvents: "events/cloudevent.json", formSeed: "events/seed.json"} {
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemas.Read(name)))
		if err == nil {
			err = c.AddResource(schemas.Base+name, doc)
		}
		if err == nil {
			forms[form], err = c.Compile(schemas.Base + name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	all, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range all {
		ev := Event{}
		ev.ID, ev.Type, ev.Data = "e1", k.Type, example(t, k.file)
		switch {
		case strings.HasPrefix(k.Type, "whatsapp."):
			ev.Instance = "shop-1"
		case k.Type != typeTest:
			ev.Run = "r1"
		}
		for form, schema := range forms {
			body, _, name, err := s.body(t.Context(), &Webhook{ID: "wh_1", Settings: Settings{Form: form}}, ev)
			if err != nil {
				t.Fatal(err)
			}
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
			if err == nil {
				err = schema.Validate(v)
			}
			if err != nil {
				t.Errorf("%s as %s: %v", k.Type, form, err)
			}
			if form == formSeed && k.Seed != "" && name != k.Seed {
				t.Errorf("%s is called %s in the seed's form, want %s", k.Type, name, k.Seed)
			}
		}
	}
	first := example(t, schemas.MessageStatus) // a status change from intent to sent
	if told := FromNode(nodeEvent(first)); len(told) != 2 || told[0].Type != typeSent || InSeed(Event{Outgoing: told[0]}).Event != exchanged || told[0].ID == told[1].ID {
		t.Errorf("the first step is told as %+v", told)
	}
	later := bytes.Replace(first, []byte(`"from": "intent"`), []byte(`"from": "sent"`), 1)
	if sent := FromNode(nodeEvent(later)); len(sent) != 1 {
		t.Errorf("a later step is told as %+v", sent)
	}
}

func nodeEvent(data []byte) sdk.Event {
	return sdk.Event{ID: "e1", Type: typeStatus, Subject: "shop-1", Data: data}
}
