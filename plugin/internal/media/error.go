package media

import (
	"github.com/tapnode/tapnode/plugin/internal/buttons"
)

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
