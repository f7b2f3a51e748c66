package media

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/store/cache"
)

// ChannelUploader is whatsmeow.Client's upload for channels: everybody may read a channel, so the
// file is not encrypted, and the post refers to it by a handle.
type ChannelUploader interface {
	UploadNewsletterReader(ctx context.Context, plaintext io.ReadSeeker, appInfo whatsmeow.MediaType) (whatsmeow.UploadResponse, error)
}

// inTheClear separates a channel's uploads from the others in the cache.
const inTheClear = "channel-"

// ChannelHeader is Header for a channel's post. The message must be sent with the Handle of the
// returned media.
func (l *Loader) ChannelHeader(ctx context.Context, up ChannelUploader, instance, rawURL string, kind buttons.MediaType, progress Progress) (*buttons.Media, error) {
	to := host{prefix: inTheClear, send: func(ctx context.Context, plaintext *io.SectionReader, appInfo whatsmeow.MediaType) (whatsmeow.UploadResponse, error) {
		return up.UploadNewsletterReader(ctx, plaintext, appInfo)
	}}
	return l.header(ctx, to, instance, rawURL, kind, progress)
}

// Handle returns the handle of a post that was encoded before, from the upload cache. It is empty
// for a post without media. The error is an *Error when the upload is no longer cached: without a
// handle the file would not be visible.
func (l *Loader) Handle(ctx context.Context, instance string, post *waE2E.Message) (string, error) {
	kind, hash := buttons.Document, post.GetDocumentWithCaptionMessage().GetMessage().GetDocumentMessage().GetFileSHA256()
	switch {
	case post.GetImageMessage() != nil:
		kind, hash = buttons.Image, post.GetImageMessage().GetFileSHA256()
	case post.GetVideoMessage() != nil:
		kind, hash = buttons.Video, post.GetVideoMessage().GetFileSHA256()
	}
	if hash == nil {
		return "", nil
	}
	forgotten := &Error{Reason: Internal, Message: "the upload of this post is not known any more; send it under a new idempotency key"}
	if l.opt.Cache == nil {
		return "", forgotten
	}
	found, err := l.opt.Cache.Upload(ctx, cache.Upload{Instance: instance, Kind: inTheClear + string(kind), SHA256: hash})
	var at location
	if err == nil {
		err = json.Unmarshal(found.Descriptor, &at)
	}
	if err == nil && at.Handle == "" {
		err = errors.New("it has no handle")
	}
	if err != nil {
		forgotten.Err = err
		return "", forgotten
	}
	return at.Handle, nil
}
