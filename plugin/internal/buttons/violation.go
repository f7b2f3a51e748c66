package buttons

// Violation is one thing wrong with a request. It mirrors the contract's message
// of that name.
type Violation struct {
	Pointer    string // RFC 6901; empty is the whole document
	Code       string // stable, one of the constants below
	Message    string // as the HTTP API words it
	Suggestion string // what to do; may be empty
}

// Warning reports something that will be sent but may not show as expected.
type Warning struct {
	Pointer string
	Code    string // stable, snake_case
	Message string
}

// Codes of violations, in the order Validate reports them. The last two are also
// the status the HTTP API shows.
const (
	CodeInvalidBody         = "invalid_body"
	CodeInstanceRequired    = "instance_required"
	CodeNumberRequired      = "number_required"
	CodeContentRequired     = "content_text_required"
	CodeButtonsRequired     = "buttons_required"
	CodeTooManyButtons      = "too_many_buttons"
	CodeMediaTypeRequired   = "media_type_required"
	CodeMediaTypeInvalid    = "media_type_invalid"
	CodeButtonIDRequired    = "button_id_required"
	CodeButtonLabelRequired = "button_display_text_required"
	CodeButtonTypeInvalid   = "button_type_invalid"
	CodeInvalidNumber       = "invalid_number"
	CodeInvalidRequest      = "invalid_request"
)

// Codes of warnings.
const (
	WarnMixedTypes        = "reply_hidden_on_desktop"
	WarnLongLabel         = "label_may_be_cut"
	WarnLongHeading       = "text_may_be_cut"
	WarnHeaderIgnored     = "header_text_ignored"
	WarnMediaTypeIgnored  = "media_type_ignored"
	WarnInsecureLink      = "insecure_link"
	WarnNotInternational  = "number_not_international"
	WarnNewsletter        = "newsletter_shows_no_buttons"
	WarnNothingToBeQuoted = "reply_private_ignored"
	WarnMenuIgnored       = "menu_ignored"
	WarnWildcardID        = "id_is_a_wildcard"
)
