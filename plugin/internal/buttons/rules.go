package buttons

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/tapnode/tapnode/internal/typed"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
)

// validInstance reports whether name is a valid instance name: 1 to 100 ASCII letters, digits,
// dots, underscores and hyphens, not beginning with a dot. Such a name is safe in a URL path, a
// file name and a subject.
func validInstance(name string) bool {
	for i, r := range []byte(name) {
		alnum := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
		if !alnum && (i == 0 || r != '.') {
			return false
		}
	}
	return name != "" && len(name) <= 100
}

func (c *check) instanceName(name string) {
	if !blank(name) && !validInstance(name) {
		c.refuse("/instance", "Instance name has characters or a length that are not allowed", "use 1 to 100 letters, digits, underscores, hyphens and, not first, dots")
	}
}

func (c *check) texts(r Request) {
	if r.MediaURL != "" {
		c.length("/contentText", "ContentText with media", r.ContentText, maxContentWithMedia)
	} else {
		c.length("/contentText", "ContentText", r.ContentText, maxContent)
	}
	c.length("/headerText", "HeaderText", r.HeaderText, maxHeading)
	c.length("/footerText", "FooterText", r.FooterText, maxHeading)
	c.length("/mediaUrl", "MediaURL", r.MediaURL, maxMediaURL)
	if r.MediaURL != "" {
		c.webAddress("/mediaUrl", "MediaURL", r.MediaURL)
	}
}

// value checks a button's ID and label beyond their presence.
func (c *check) value(i int, b Button) {
	at, name := fmt.Sprintf("/buttons/%d", i), fmt.Sprintf("Button %d: ", i+1)
	c.length(at+"/displayText", name+"DisplayText", b.DisplayText, maxLabel)
	if blank(b.ID) {
		return
	}
	switch b.Kind() {
	case Reply:
		c.length(at+"/id", name+"ID", b.ID, maxReplyID)
	case URL:
		c.length(at+"/id", name+"ID", b.ID, maxValue)
		c.webAddress(at+"/id", name+"ID", b.ID)
	case Call:
		c.length(at+"/id", name+"ID", b.ID, maxCallNumber)
		if _, ok := recipient.Dial(b.ID); !ok {
			c.refuse(at+"/id", name+"ID must be a phone number", "write it as +5511999999999")
		}
	default:
		c.length(at+"/id", name+"ID", b.ID, maxValue)
	}
}

// distinct refuses what would make a click ambiguous: two equal ids, or two
// labels that a person cannot tell apart.
func (c *check) distinct(buttons []Button) {
	ids, labels := map[string]int{}, map[string]int{}
	for i, b := range buttons {
		if first, taken := ids[b.ID]; taken && !blank(b.ID) {
			c.refuse(fmt.Sprintf("/buttons/%d/id", i), fmt.Sprintf("Button %d: ID is already used by button %d", i+1, first+1), "give every button its own id")
		} else if !taken {
			ids[b.ID] = i
		}
		label := typed.Fold(b.DisplayText)
		if first, taken := labels[label]; taken && label != "" {
			c.refuse(fmt.Sprintf("/buttons/%d/displayText", i), fmt.Sprintf("Button %d: DisplayText is already used by button %d", i+1, first+1), "give every button its own label")
		} else if !taken {
			labels[label] = i
		}
	}
}

func (c *check) sending(delay int, replyTo, source string) {
	if delay < 0 || delay > maxDelay {
		c.refuse("/delay", fmt.Sprintf("Delay must be between 0 and %d seconds", maxDelay), "delay is in seconds, not milliseconds")
	}
	c.length("/replyTo", "ReplyTo", replyTo, maxName)
	c.length("/source", "Source", source, maxName)
}

func (c *check) length(pointer, name, text string, limit int) {
	if n := utf8.RuneCountInString(text); n > limit {
		c.refuse(pointer, fmt.Sprintf("%s has %d characters, more than %d", name, n, limit), "shorten it")
	}
}

// webAddress refuses a string that is not an absolute http or https address with a host and without
// credentials, and says what is wrong with it.
func (c *check) webAddress(pointer, name, s string) {
	u, err := url.Parse(s)
	escape, badEscape := errors.AsType[url.EscapeError](err)
	switch {
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		c.refuse(pointer, name+" holds a blank or a control character, which no address has", "write a blank as %20")
	case badEscape:
		c.refuse(pointer, fmt.Sprintf("%s holds %q, which is not a percent-escape", name, string(escape)), "write a percent sign as %25")
	case err == nil && u.User != nil:
		c.refuse(pointer, name+" holds a user or a password", "leave out what stands before the host")
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		c.refuse(pointer, name+" must be an http or https address", "begin with https:// and a host")
	}
}
