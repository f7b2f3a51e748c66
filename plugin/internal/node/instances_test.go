package node

import (
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
)

func TestInstanceLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wasim.Options{})
	account := w.pair("shop", shopNumber)

	var all allInstances
	w.must(w.call("whatsapp.instance.list@1", nil, &all))
	if len(all.Instances) != 1 || all.Instances[0].Name != "shop" || all.Instances[0].State != "connected" {
		t.Fatalf("list = %+v", all)
	}

	if p := problemOf(t, w.call("whatsapp.instance.create@1", named{"shop"}, nil)); p.HTTPStatus != 409 {
		t.Errorf("a second shop: %d %s", p.HTTPStatus, p.Message)
	}
	if p := problemOf(t, w.call("whatsapp.instance.disconnect@1", named{"nobody"}, nil)); p.HTTPStatus != 404 || p.Message != "Instance not found" {
		t.Errorf("an unknown instance: %d %s", p.HTTPStatus, p.Message)
	}

	var one oneInstance
	w.must(w.call("whatsapp.instance.disconnect@1", named{"shop"}, &one))
	if one.Instance.State != "disconnected" || one.Instance.JID == nil {
		t.Errorf("after disconnect: %+v", one.Instance)
	}
	w.must(w.call("whatsapp.instance.connect@1", named{"shop"}, &one))
	if one.Instance.State != "connected" {
		t.Errorf("after connect: %+v", one.Instance)
	}

	w.shut()
	w.start() // the session is on disk: the instance connects again without a phone
	w.must(w.call("whatsapp.instance.connect@1", named{"shop"}, &one))

	w.must(w.call("whatsapp.instance.logout@1", named{"shop"}, &one))
	if one.Instance.State != "logged_out" || one.Instance.JID != nil || len(account.Linked()) != 0 {
		t.Errorf("after logout: %+v, %d linked devices", one.Instance, len(account.Linked()))
	}
	w.link("shop", account)
	w.must(w.call("whatsapp.instance.delete@1", named{"shop"}, nil))
	w.must(w.call("whatsapp.instance.list@1", nil, &all))
	if len(all.Instances) != 0 || len(account.Linked()) != 0 {
		t.Errorf("after delete: %+v, %d linked devices", all, len(account.Linked()))
	}
}
