// Package media turns a mediaUrl into the header of a message: it fetches the
// file, finds out what it really is, makes a thumbnail and uploads it to
// WhatsApp's media servers.
//
// What the package guarantees:
//
//   - Every address is dialled through package netguard, redirects too: one that is
//     not public is refused, but for private ones with Options.Private.
//   - Nothing is unbounded: bytes, memory for pixels, redirects, time, and how many
//     files are worked on at once; files of one instance do not wait for another's.
//   - The content decides the type, not its name or its Content-Type, and documents
//     are named for what they are. What may surprise is in [buttons.Media.Warnings].
//   - A JPEG, PNG, video or document is sent byte for byte.
//   - Files live in nameless temporary files: nothing is left behind, not even by
//     kill -9.
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

// Options bound a Loader. Zero values mean the defaults.
type Options struct {
	// Dir holds the temporary files. It must exist; it should be 0700.
	Dir string
	// Private lets files come from private addresses and this machine, too.
	Private bool
	// MaxBytes limits every kind of file, on top of what WhatsApp takes: 16 MiB
	// for images, 64 MiB for videos and 100 MiB for documents.
	MaxBytes int64
	// Timeout is for one fetch, from the first lookup to the last byte; 60 s.
	Timeout time.Duration
	// Cache, if set, saves uploading the same file again for an instance.
	Cache Cache
	Log   *slog.Logger
}

// Progress is told what is going on: "fetching" with the bytes so far and the
// expected total (0: unknown), then "uploading".
type Progress func(stage string, done, total int64)

// Loader makes headers. It is safe for concurrent use.
type Loader struct {
	opt    Options
	client *http.Client

	places   *semaphore.Weighted // of all instances together
	own      *places             // of one instance
	memory   *semaphore.Weighted // bytes that pictures are decoded into
	previews previews            // of pictures that were decoded
	uploads  *places             // one for the same file: the second finds what the first has uploaded
}

// How many files are worked on at the same time; more wait in the order of their
// coming. The sum bounds the disk: two copies of each, one of them encrypted. An
// instance has so few of it that those of one instance, however slow the servers
// it names, never keep another from its own.
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

// Header fetches the file behind rawURL, which must be of the kind, uploads it for
// the instance and describes it for the encoder. progress may be nil.
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

// place waits for a place of the instance, and only then, for fairness, for one of
// all.
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

// limit is how many bytes a file of the kind may have.
func (l *Loader) limit(kind buttons.MediaType) int64 {
	limits := map[buttons.MediaType]int64{buttons.Image: 16 << 20, buttons.Video: 64 << 20, buttons.Document: 100 << 20}
	limit := limits[kind]
	if l.opt.MaxBytes > 0 {
		limit = min(limit, l.opt.MaxBytes)
	}
	return limit
}

// examine finds out what the file is, makes sure that it is what was asked for,
// and describes what can be seen without WhatsApp. It may put a converted file in
// place of the fetched one.
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

// temporary makes a file without a name: it goes when it is closed.
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

// Reason says why there is no header.
type Reason string

// The reasons. All but the last two are the caller's to mend.
const (
	BadURL      Reason = "media_url"         // not an absolute http or https URL
	Refused     Reason = "media_refused"     // the address is not allowed
	TooLarge    Reason = "media_too_large"   // more bytes than the kind may have
	WrongType   Reason = "media_type"        // the content is not of the kind
	Unreachable Reason = "media_unreachable" // no answer, an error answer, or not in time
	Upload      Reason = "media_upload"      // WhatsApp's media servers did not take it
	Internal    Reason = "media_internal"    // this machine: disk, memory
)

// Error is why there is no header. Message is for the caller and holds no secret
// of the URL.
type Error struct {
	Reason  Reason
	Message string
	Retry   bool  // the same call can work later
	Err     error // for the log; may hold the host name
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Caller reports whether the caller can mend it: the request, or what it links to.
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
