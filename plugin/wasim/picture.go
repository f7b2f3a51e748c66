package wasim

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"go.mau.fi/whatsmeow"

	"github.com/tapnode/tapnode/plugin/wasim/internal/jsonapi"
)

// mediaView describes the file that a message shows above its text.
type mediaView struct {
	Type     string `json:"type"` // IMAGE, VIDEO or DOCUMENT
	MIMEType string `json:"mimeType"`
	FileName string `json:"fileName,omitempty"`
}

// file returns the file of a message and its description.
func (m *Message) file() (whatsmeow.DownloadableMessage, *mediaView) {
	msg := m.Message
	image, video, document := msg.GetImageMessage(), msg.GetVideoMessage(), msg.GetDocumentMessage()
	if h := msg.GetInteractiveMessage().GetHeader(); h != nil {
		image, video, document = h.GetImageMessage(), h.GetVideoMessage(), h.GetDocumentMessage()
	}
	if b := msg.GetButtonsMessage(); b != nil {
		image, video, document = b.GetImageMessage(), b.GetVideoMessage(), b.GetDocumentMessage()
	}
	switch {
	case image != nil:
		return image, &mediaView{Type: "IMAGE", MIMEType: image.GetMimetype()}
	case video != nil:
		return video, &mediaView{Type: "VIDEO", MIMEType: video.GetMimetype()}
	case document != nil:
		return document, &mediaView{Type: "DOCUMENT", MIMEType: document.GetMimetype(), FileName: document.GetFileName()}
	}
	return nil, nil
}

// showMedia downloads and decrypts the file of a message, as the phone does when the person looks at it.
func (s *Server) showMedia(r *jsonapi.Request) (any, error) {
	p, err := s.pathPhone(r)
	if err != nil {
		return nil, err
	}
	id := r.PathValue("message")
	for _, m := range p.Inbox() {
		file, view := m.file()
		if m.ID != id || file == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
		defer cancel()
		body, err := p.cli.Download(ctx, file)
		if err != nil {
			return nil, jsonapi.Refuse(http.StatusBadGateway, "the phone cannot get the file: %s", err)
		}
		return jsonapi.Answer(func(w http.ResponseWriter) { sendFile(w, view, body) }), nil
	}
	return nil, jsonapi.Refuse(http.StatusNotFound, "the inbox has no message of this id with a file")
}

// sendFile writes a file that was sent to the phone, so that nothing in it can run: a browser shows only pictures and
// videos, and saves everything else.
func sendFile(w http.ResponseWriter, view *mediaView, body []byte) {
	h := w.Header()
	kind := "application/octet-stream"
	if strings.HasPrefix(view.MIMEType, "video/") || strings.HasPrefix(view.MIMEType, "image/") && !strings.Contains(view.MIMEType, "svg") {
		kind = view.MIMEType
	} else {
		h.Set("Content-Disposition", "attachment")
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, max-age=3600")
	_, _ = w.Write(body) // an error means that the reader is gone
}
