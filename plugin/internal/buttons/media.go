package buttons

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

// Media is a header that is already uploaded: the members of whatsmeow's
// UploadResponse and what a client needs to draw it before the download.
type Media struct {
	Type          MediaType
	Mimetype      string
	URL           string
	DirectPath    string
	MediaKey      []byte
	FileSHA256    []byte
	FileEncSHA256 []byte
	FileLength    uint64 // bytes
	Handle        string // of a channel's media: goes into the stanza, not into the message

	Thumbnail []byte // JPEG; may be empty
	Width     uint32 // pixels; images and videos
	Height    uint32
	Seconds   uint32 // videos
	FileName  string // documents

	Warnings []Warning // for the caller; not part of the message
}

// header must say hasMediaAttachment, or clients do not look for the media.
func (m *Media) header() *waE2E.InteractiveMessage_Header {
	h := &waE2E.InteractiveMessage_Header{HasMediaAttachment: proto.Bool(true)}
	switch m.Type {
	case Video:
		h.Media = &waE2E.InteractiveMessage_Header_VideoMessage{VideoMessage: m.video()}
	case Document:
		h.Media = &waE2E.InteractiveMessage_Header_DocumentMessage{DocumentMessage: m.document()}
	default:
		h.Media = &waE2E.InteractiveMessage_Header_ImageMessage{ImageMessage: m.image()}
	}
	return h
}

func (m *Media) legacyHeader(to *waE2E.ButtonsMessage) {
	switch m.Type {
	case Video:
		to.HeaderType = waE2E.ButtonsMessage_VIDEO.Enum()
		to.Header = &waE2E.ButtonsMessage_VideoMessage{VideoMessage: m.video()}
	case Document:
		to.HeaderType = waE2E.ButtonsMessage_DOCUMENT.Enum()
		to.Header = &waE2E.ButtonsMessage_DocumentMessage{DocumentMessage: m.document()}
	default:
		to.HeaderType = waE2E.ButtonsMessage_IMAGE.Enum()
		to.Header = &waE2E.ButtonsMessage_ImageMessage{ImageMessage: m.image()}
	}
}

// captioned is the media as an ordinary message with a caption.
func (m *Media) captioned(caption string, info *waE2E.ContextInfo) *waE2E.Message {
	switch m.Type {
	case Video:
		v := m.video()
		v.Caption, v.ContextInfo = proto.String(caption), info
		return &waE2E.Message{VideoMessage: v}
	case Document:
		d := m.document()
		d.Caption, d.ContextInfo = proto.String(caption), info
		// A document shows its caption only inside this wrapper.
		return &waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{DocumentMessage: d}}}
	default:
		i := m.image()
		i.Caption, i.ContextInfo = proto.String(caption), info
		return &waE2E.Message{ImageMessage: i}
	}
}

func (m *Media) image() *waE2E.ImageMessage {
	return &waE2E.ImageMessage{
		Mimetype: proto.String(m.Mimetype), URL: proto.String(m.URL), DirectPath: proto.String(m.DirectPath),
		MediaKey: m.MediaKey, FileSHA256: m.FileSHA256, FileEncSHA256: m.FileEncSHA256,
		FileLength: proto.Uint64(m.FileLength), JPEGThumbnail: m.Thumbnail,
		Width: known(m.Width), Height: known(m.Height),
	}
}

func (m *Media) video() *waE2E.VideoMessage {
	return &waE2E.VideoMessage{
		Mimetype: proto.String(m.Mimetype), URL: proto.String(m.URL), DirectPath: proto.String(m.DirectPath),
		MediaKey: m.MediaKey, FileSHA256: m.FileSHA256, FileEncSHA256: m.FileEncSHA256,
		FileLength: proto.Uint64(m.FileLength), JPEGThumbnail: m.Thumbnail,
		Width: known(m.Width), Height: known(m.Height), Seconds: known(m.Seconds),
	}
}

func (m *Media) document() *waE2E.DocumentMessage {
	d := &waE2E.DocumentMessage{
		Mimetype: proto.String(m.Mimetype), URL: proto.String(m.URL), DirectPath: proto.String(m.DirectPath),
		MediaKey: m.MediaKey, FileSHA256: m.FileSHA256, FileEncSHA256: m.FileEncSHA256,
		FileLength: proto.Uint64(m.FileLength), JPEGThumbnail: m.Thumbnail,
	}
	if m.FileName != "" {
		d.FileName = proto.String(m.FileName)
		d.Title = proto.String(m.FileName)
	}
	return d
}

// known returns nil for 0: the value was not measured.
func known(n uint32) *uint32 {
	if n == 0 {
		return nil
	}
	return &n
}
