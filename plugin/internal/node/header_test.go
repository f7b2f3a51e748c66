package node

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

func TestMediaHeader(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	var picture bytes.Buffer
	w.must(png.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 64, 32))))
	files := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/menu.png":
			_, _ = rw.Write(picture.Bytes()) // a test's own server
		case "/invoice.pdf":
			_, _ = rw.Write([]byte("<!DOCTYPE html><html><body>log in"))
		default:
			http.NotFound(rw, r)
		}
	}))
	defer files.Close()

	menu := menuTo(anaNumber)
	menu["mediaUrl"], menu["mediaType"], menu["headerText"] = files.URL+"/menu.png", "image", "not shown"
	var out send.Output
	w.must(w.call(send.OpButtons, menu, &out))
	m, err := ana.WaitID(w.ctx(), out.MessageID)
	w.must(err)
	header := m.Message.GetInteractiveMessage().GetHeader()
	if !header.GetHasMediaAttachment() || header.GetTitle() != "" || header.GetImageMessage().GetWidth() != 64 {
		t.Errorf("header = %v", header)
	}
	if data, err := ana.Client().Download(w.ctx(), header.GetImageMessage()); err != nil || len(data) == 0 {
		t.Errorf("Ana cannot open the picture: %v", err)
	}

	menu["mediaUrl"], menu["mediaType"] = files.URL+"/invoice.pdf", "DOCUMENT"
	for repeat := range 2 { // a repeat has the same warning
		res, err := w.node.Execute(w.ctx(), client.Request{Operation: send.OpButtons, Input: raw(t, menu), Key: "page"}, nil)
		w.must(err)
		if !slices.ContainsFunc(res.Warnings, func(x sdk.Warning) bool { return x.Code == "media_is_a_page" && x.Pointer == "/mediaUrl" }) || res.Replayed != (repeat > 0) {
			t.Errorf("a page as a document: warnings %v, replayed %v", res.Warnings, res.Replayed)
		}
	}

	menu["mediaUrl"], menu["mediaType"] = files.URL+"/missing.png", "image"
	p := problemOf(t, w.call(send.OpButtons, menu, nil))
	if p.HTTPStatus != 400 || p.Effect != sdk.EffectNone || !strings.HasPrefix(p.Message, "MediaURL: ") || p.Violations[0].Pointer != "/mediaUrl" {
		t.Errorf("problem = %+v", p)
	}
}
