package media

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"go.mau.fi/whatsmeow"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/store/cache"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Uploader is whatsmeow.Client's upload: it encrypts plaintext into the temporary file and sends
// that to WhatsApp's media servers.
type Uploader interface {
	UploadReader(ctx context.Context, plaintext io.Reader, tempFile io.ReadWriteSeeker, appInfo whatsmeow.MediaType) (whatsmeow.UploadResponse, error)
}

// Cache remembers uploads; cache.Cache is one.
type Cache interface {
	Upload(ctx context.Context, u cache.Upload) (cache.Upload, error)
	PutUpload(ctx context.Context, u cache.Upload) error
}

// cacheTime is how long an upload is reused. WhatsApp keeps an upload for weeks; reusing it for one
// day is enough for a campaign and leaves the rest of that time to the receiver.
const cacheTime = 24 * time.Hour

// host is one of the two ways to upload a file to WhatsApp.
type host struct {
	prefix string // prefix of the kind in the cache
	send   func(ctx context.Context, plaintext *io.SectionReader, appInfo whatsmeow.MediaType) (whatsmeow.UploadResponse, error)
}

// sealed is the upload for everything except channels: only the message's recipients can decrypt
// the file.
func (l *Loader) sealed(up Uploader) host {
	return host{send: func(ctx context.Context, plaintext *io.SectionReader, appInfo whatsmeow.MediaType) (whatsmeow.UploadResponse, error) {
		temp, err := l.temporary()
		if err != nil {
			return whatsmeow.UploadResponse{}, err
		}
		defer temp.Close()
		return up.UploadReader(ctx, plaintext, temp, appInfo)
	}}
}

// upload fills in where WhatsApp keeps the file.
func (l *Loader) upload(ctx context.Context, to host, instance string, got *fetched, m *buttons.Media, progress Progress) error {
	hash, size, err := got.hash()
	if err != nil {
		return err
	}
	entry := cache.Upload{Instance: instance, Kind: to.prefix + string(m.Type), SHA256: hash}
	release, err := l.uploads.take(ctx, instance+" "+entry.Kind+" "+string(entry.SHA256))
	if err != nil {
		return &Error{Reason: Upload, Retry: true, Message: "the same file is being uploaded for too long", Err: err}
	}
	defer release()
	if l.recall(ctx, entry, m) {
		return nil
	}
	progress("uploading", 0, size)
	resp, err := to.send(ctx, io.NewSectionReader(got.file, 0, size), appInfo(m.Type))
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	if err != nil {
		return &Error{Reason: Upload, Retry: true, Message: "WhatsApp's media server did not take the file", Err: err}
	}
	m.URL, m.DirectPath, m.MediaKey = resp.URL, resp.DirectPath, resp.MediaKey
	m.FileSHA256, m.FileEncSHA256, m.FileLength = resp.FileSHA256, resp.FileEncSHA256, resp.FileLength
	m.Handle = resp.Handle
	l.remember(ctx, entry, m)
	return nil
}

func appInfo(kind buttons.MediaType) whatsmeow.MediaType {
	switch kind {
	case buttons.Image:
		return whatsmeow.MediaImage
	case buttons.Video:
		return whatsmeow.MediaVideo
	}
	return whatsmeow.MediaDocument
}

// location is the part of a header that only an upload can give.
type location struct {
	URL, DirectPath                     string
	MediaKey, FileSHA256, FileEncSHA256 []byte
	FileLength                          uint64
	Handle                              string `json:",omitempty"`
}

// recall completes m from the cache. The name, the type and the thumbnail remain those of this
// request.
func (l *Loader) recall(ctx context.Context, entry cache.Upload, m *buttons.Media) bool {
	if l.opt.Cache == nil {
		return false
	}
	found, err := l.opt.Cache.Upload(ctx, entry)
	if err != nil {
		if !errors.Is(err, sqldb.ErrNotFound) {
			l.opt.Log.Warn("the upload cache cannot be read", "error", err)
		}
		return false
	}
	var at location
	if err := json.Unmarshal(found.Descriptor, &at); err != nil {
		l.opt.Log.Warn("the upload cache holds a broken entry", "error", err)
		return false
	}
	m.URL, m.DirectPath, m.MediaKey = at.URL, at.DirectPath, at.MediaKey
	m.FileSHA256, m.FileEncSHA256, m.FileLength = at.FileSHA256, at.FileEncSHA256, at.FileLength
	m.Handle = at.Handle
	return true
}

// remember caches an upload. If that fails, the only cost is another upload for the next send.
func (l *Loader) remember(ctx context.Context, entry cache.Upload, m *buttons.Media) {
	if l.opt.Cache == nil {
		return
	}
	var err error
	entry.Descriptor, err = json.Marshal(location{m.URL, m.DirectPath, m.MediaKey, m.FileSHA256, m.FileEncSHA256, m.FileLength, m.Handle})
	if err == nil {
		entry.ExpiresAt = time.Now().Add(cacheTime)
		err = l.opt.Cache.PutUpload(ctx, entry)
	}
	if err != nil {
		l.opt.Log.Warn("the upload cache cannot be written", "error", err)
	}
}
