// Package media turns a mediaUrl into the header of a message: it fetches the file, determines its
// real type, makes a thumbnail and uploads it to WhatsApp's media servers.
//
// What the package guarantees:
//
//   - Every address, including those of redirects, is dialled through package netguard. An address
//     that is not public is refused, except for private ones with Options.Private.
//   - Everything is bounded: bytes, memory for pixels, redirects, time, and how many files are
//     processed at once; files of one instance do not wait for another's.
//   - The content decides the type, not the name or the Content-Type, and a document's name
//     matches its type. Anything that may surprise is in [buttons.Media.Warnings].
//   - A JPEG, PNG, video or document is sent byte for byte.
//   - Files are kept in unnamed temporary files: nothing is left behind, not even by kill -9.
//
// Every error is an [*Error] that says whose fault it is.
package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/gabriel-vasile/mimetype"
	"golang.org/x/sync/semaphore"

	"github.com/tapnode/tapnode/internal/netguard"
	"github.com/tapnode/tapnode/plugin/internal/buttons"
)

// Options configure a Loader. Zero values mean the defaults.
type Options struct {
	// Dir holds the temporary files. It must exist; it should be 0700.
	Dir string
	// Private also allows files from private addresses and from this machine.
	Private bool
	// MaxBytes limits files of every kind, in addition to WhatsApp's own limits: 16 MiB for images,
	// 64 MiB for videos and 100 MiB for documents.
	MaxBytes int64
	// Timeout limits one fetch, from the first DNS lookup to the last byte; 60 s by default.
	Timeout time.Duration
	// Cache, if set, avoids uploading the same file again for an instance.
	Cache Cache
	Log   *slog.Logger
}

// Progress is called with the current stage: "fetching" with the bytes so far and the expected
// total (0: unknown), then "uploading".
type Progress func(stage string, done, total int64)

// Loader makes headers. It is safe for concurrent use.
type Loader struct {
	opt    Options
	client *http.Client

	places   *semaphore.Weighted // for all instances together
	own      *places             // for each instance
	memory   *semaphore.Weighted // bytes for decoded pictures
	previews previews            // of recently decoded pictures
	uploads  *places             // one per file: a second upload of the same file finds the first one's result
}

// How many files are processed at the same time; further ones wait in order of arrival. The total
// bounds disk use: two copies of each file, one of them encrypted. The share of each instance is so
// small that one instance, however slow its servers, never blocks another.
const (
	maxPlaces    = 32
	maxOwnPlaces = 4
)

// New makes a Loader.
func New(opt Options) *Loader {
	if opt.Timeout <= 0 {
		opt.Timeout = time.Minute
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	mimetype.SetLimit(headSize)
	return &Loader{
		opt: opt, client: newClient(&netguard.Guard{Private: opt.Private}),
		places: semaphore.NewWeighted(maxPlaces), own: newPlaces(maxOwnPlaces), uploads: newPlaces(1), memory: semaphore.NewWeighted(maxDecoded),
		previews: newPreviews(),
	}
}

// Close closes idle connections.
func (l *Loader) Close() { l.client.CloseIdleConnections() }

// Header fetches the file behind rawURL, checks that it is of the kind, uploads it for the instance
// and describes it for the encoder. progress may be nil.
func (l *Loader) Header(ctx context.Context, up Uploader, instance, rawURL string, kind buttons.MediaType, progress Progress) (*buttons.Media, error) {
	return l.header(ctx, l.sealed(up), instance, rawURL, kind, progress)
}

func (l *Loader) header(ctx context.Context, to host, instance, rawURL string, kind buttons.MediaType, progress Progress) (*buttons.Media, error) {
	if progress == nil {
		progress = func(string, int64, int64) {}
	}
	release, err := l.place(ctx, instance)
	if err != nil {
		return nil, err
	}
	defer release()
	got, err := l.fetch(ctx, rawURL, l.limit(kind), progress)
	if err != nil {
		return nil, err
	}
	defer func() { got.file.Close() }()

	header, err := l.examine(ctx, got, kind)
	if err != nil {
		return nil, err
	}
	if err := l.upload(ctx, to, instance, got, header, progress); err != nil {
		return nil, err
	}
	return header, nil
}

// place waits for a place of the instance and only then, for fairness, for one of the places shared
// by all.
func (l *Loader) place(ctx context.Context, instance string) (release func(), err error) {
	leave, err := l.own.take(ctx, instance)
	if err != nil {
		return nil, &Error{Reason: Unreachable, Retry: true, Message: fmt.Sprintf("%d other files of this instance were being fetched for too long", maxOwnPlaces), Err: err}
	}
	if err := l.places.Acquire(ctx, 1); err != nil {
		leave()
		return nil, &Error{Reason: Internal, Retry: true, Message: "too many files were being fetched at the same time", Err: err}
	}
	return func() {
		l.places.Release(1)
		leave()
	}, nil
}

// limit returns the maximum size of a file of the kind, in bytes.
func (l *Loader) limit(kind buttons.MediaType) int64 {
	limits := map[buttons.MediaType]int64{buttons.Image: 16 << 20, buttons.Video: 64 << 20, buttons.Document: 100 << 20}
	limit := limits[kind]
	if l.opt.MaxBytes > 0 {
		limit = min(limit, l.opt.MaxBytes)
	}
	return limit
}

// examine determines the file's type, checks that it is of the requested kind, and fills in what
// can be found without WhatsApp. It may replace the fetched file by a converted one.
func (l *Loader) examine(ctx context.Context, got *fetched, kind buttons.MediaType) (*buttons.Media, error) {
	head := make([]byte, headSize)
	n, err := got.file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, &Error{Reason: Internal, Message: "the fetched file could not be read", Err: err}
	}
	mediaType, under := sniff(head[:n])
	if !fits(mediaType, kind) {
		return nil, mismatch(mediaType, kind)
	}
	m := &buttons.Media{Type: kind, Mimetype: mediaType}
	switch kind {
	case buttons.Image:
		if err := l.examineImage(ctx, got, m); err != nil {
			return nil, err
		}
	case buttons.Document:
		describe(m, mediaType, under, got)
	}
	return m, nil
}

// temporary makes a file without a name, which disappears when it is closed.
func (l *Loader) temporary() (*os.File, error) {
	file, err := os.CreateTemp(l.opt.Dir, "media-*")
	if err == nil {
		if err = os.Remove(file.Name()); err != nil {
			err = errors.Join(err, file.Close())
		}
	}
	if err != nil {
		return nil, &Error{Reason: Internal, Message: "no temporary file could be made for the media", Err: err}
	}
	return file, nil
}

// mismatch explains that the content is not of the kind.
func mismatch(mediaType string, kind buttons.MediaType) error {
	const takes = "%s takes %s; mediaUrl answers %s"
	formats := map[buttons.MediaType]string{
		buttons.Image: "a JPEG, PNG, WebP or GIF file",
		buttons.Video: "an MP4 or 3GP file",
	}
	e := &Error{Reason: WrongType, Message: fmt.Sprintf(takes, "mediaType "+string(kind), formats[kind], mediaType)}
	if mediaType == "text/html" {
		e.Message += ": it is a page, link the file itself"
	}
	return e
}

// Reason is why there is no header.
type Reason string

// The reasons. The caller can fix all but the last two.
const (
	BadURL      Reason = "media_url"         // not an absolute http or https URL
	Refused     Reason = "media_refused"     // the address is not allowed
	TooLarge    Reason = "media_too_large"   // more bytes than the kind may have
	WrongType   Reason = "media_type"        // the content is not of the kind
	Unreachable Reason = "media_unreachable" // no answer, an error answer, or not in time
	Upload      Reason = "media_upload"      // WhatsApp's media servers did not take it
	Internal    Reason = "media_internal"    // this machine: disk, memory
)

// Error describes why there is no header. Message is for the caller and reveals no secret of the
// URL.
type Error struct {
	Reason  Reason
	Message string
	Retry   bool  // the same call may succeed later
	Err     error // for the log; may hold the host name
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Caller reports whether the caller can fix the cause: the request, or the file it links to.
func (e *Error) Caller() bool { return e.Reason != Upload && e.Reason != Internal }

// Codes of warnings.
const (
	warnAnimation = "media_animation_lost"
	warnNoPreview = "media_without_preview"
	warnPage      = "media_is_a_page"
	warnMisnamed  = "media_is_not_as_named"
)

func warn(m *buttons.Media, code, message string) {
	m.Warnings = append(m.Warnings, buttons.Warning{Pointer: "/mediaUrl", Code: code, Message: message})
}
