package buttons

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tapnode/tapnode/plugin/internal/recipient"
)

// warnings lists what WhatsApp is known to hide or refuse although it accepts the message.
func warnings(r Request, to recipient.Recipient) []Warning {
	var list []Warning
	add := func(pointer, code, message string) {
		if len(list) < maxViolations {
			list = append(list, Warning{pointer, code, message})
		}
	}
	if to.Kind == recipient.Newsletter {
		add("/number", WarnNewsletter, "Channels show no buttons and send no clicks back; the menu goes out as text.")
	}
	for i, b := range r.Buttons {
		at := fmt.Sprintf("/buttons/%d", i)
		if n := utf8.RuneCountInString(b.DisplayText); n > softLabel {
			add(at+"/displayText", WarnLongLabel, fmt.Sprintf("Button %d: clients show about %d characters of a label, this one has %d.", i+1, softLabel, n))
		}
		switch b.Kind() {
		case Reply:
			if b.ID == wildcard {
				add(at+"/id", WarnWildcardID, fmt.Sprintf("Button %d: in a flow reply:* is the exit of every button, so this one has none of its own; use another id.", i+1))
			}
		case URL:
			if strings.HasPrefix(strings.ToLower(b.ID), "http://") {
				add(at+"/id", WarnInsecureLink, fmt.Sprintf("Button %d: clients may block a link that does not begin with https://.", i+1))
			}
		case Call:
			if number, ok := recipient.Dial(b.ID); ok && !strings.HasPrefix(number, "+") {
				add(at+"/id", WarnNotInternational, fmt.Sprintf("Button %d: the number is dialled as it stands; write it as + and country code.", i+1))
			}
		}
	}
	replies := countReplies(r.Buttons)
	if replies > 0 && replies < len(r.Buttons) {
		add("/buttons", WarnMixedTypes, "REPLY buttons mixed with URL, CALL or COPY are not shown by WhatsApp Web and Desktop; send them apart.")
	}
	if replies == 0 && (r.Menu.ExpiresIn != nil || r.Menu.Policy != "" || len(r.Menu.AllowedSenders) > 0) {
		add("/menu", WarnMenuIgnored, "Only REPLY buttons send clicks back, so menu has no effect here.")
	}
	if r.MediaURL != "" && r.HeaderText != "" {
		add("/headerText", WarnHeaderIgnored, "The media replaces the header text, which is not sent.")
	} else if n := utf8.RuneCountInString(r.HeaderText); n > softHeading {
		add("/headerText", WarnLongHeading, fmt.Sprintf("Clients show about %d characters of a header, this one has %d.", softHeading, n))
	}
	if n := utf8.RuneCountInString(r.FooterText); n > softHeading {
		add("/footerText", WarnLongHeading, fmt.Sprintf("Clients show about %d characters of a footer, this one has %d.", softHeading, n))
	}
	if r.MediaURL == "" && r.MediaType != "" {
		add("/mediaType", WarnMediaTypeIgnored, "Without mediaUrl there is no media, so mediaType has no effect.")
	}
	return append(list, quoteWarnings(r.ReplyTo, r.ReplyPrivate)...)
}

// wildcard matches every id in a flow's edge "reply:*".
const wildcard = "*"

func quoteWarnings(replyTo string, private bool) []Warning {
	if !private || replyTo != "" {
		return nil
	}
	return []Warning{{"/replyPrivate", WarnNothingToBeQuoted, "Without replyTo there is no author to answer in private, so replyPrivate has no effect."}}
}

func countReplies(list []Button) (n int) {
	for _, b := range list {
		if b.Kind() == Reply {
			n++
		}
	}
	return n
}
