package node

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

func TestMediaHeader(t *testing.T) {
	w, ana := shop(t, wasim.Options{})
	var picture bytes.Buffer
	w.must(png.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 64, 32))))
	files := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/menu.png" {
			http.NotFound(rw, r)
			return
		}
		_, _ = rw.Write(picture.Bytes()) // a test's own server
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

	menu["mediaUrl"] = files.URL + "/missing.png"
	p := problemOf(t, w.call(send.OpButtons, menu, nil))
	if p.HTTPStatus != 400 || p.Effect != sdk.EffectNone || !strings.HasPrefix(p.Message, "MediaURL: ") || p.Violations[0].Pointer != "/mediaUrl" {
		t.Errorf("problem = %+v", p)
	}
}
