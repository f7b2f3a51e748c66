package buttons

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
)

// Profile is one way to put a menu on the wire. All of them imitate what business
// servers send; WhatsApp may stop showing any of them, which is why the choice is
// a setting and not code.
type Profile string

// The profiles.
const (
	// Direct is a top-level InteractiveMessage and a bare <biz>.
	Direct Profile = "direct"
	// Full is Direct with the attributes and quality_control of a business server.
	Full Profile = "full"
	// Legacy is a ButtonsMessage in a DocumentWithCaptionMessage. It can only carry REPLY buttons;
	// any other menu is sent as Direct. Without the wrapper whatsmeow would add a second <biz>, and
	// clients show no buttons if there are two.
	Legacy Profile = "legacy"
)

// ParseProfile reads the setting; empty is Direct.
func ParseProfile(name string) (Profile, error) {
	switch p := Profile(name); p {
	case "":
		return Direct, nil
	case Direct, Full, Legacy:
		return p, nil
	}
	return "", fmt.Errorf("unknown encoder profile %q: use direct, full or legacy", name)
}

// Send holds what a message needs besides the request.
type Send struct {
	MessageID string             // the id that the message will be sent under
	At        time.Time          // when it is sent
	Media     *Media             // the uploaded header; nil for none
	Context   *waE2E.ContextInfo // from Quote and Disappearing; nil for none
}

// Encode builds the message and the nodes to pass as whatsmeow.SendRequestExtra.AdditionalNodes.
// The same arguments give the same bytes, so that a repeated send is a true repetition. The request
// must have passed Validate. Call Encode for every attempt: Context becomes part of the message,
// and whatsmeow changes the message while sending.
func (p Profile) Encode(r Request, s Send) (*waE2E.Message, []waBinary.Node) {
	if p == Legacy && onlyReplies(r.Buttons) {
		return legacyMessage(r, s), []waBinary.Node{biz(nil)}
	}
	if p == Full {
		return interactiveMessage(r, s), []waBinary.Node{fullBiz(s)}
	}
	return interactiveMessage(r, s), []waBinary.Node{biz(nil)}
}

// biz builds the node without which clients drop the buttons. The name is always "mixed": servers
// refuse the names of single button types.
func biz(attrs waBinary.Attrs, more ...waBinary.Node) waBinary.Node {
	flow := waBinary.Node{Tag: "native_flow", Attrs: waBinary.Attrs{"v": "9", "name": "mixed"}}
	interactive := waBinary.Node{
		Tag:     "interactive",
		Attrs:   waBinary.Attrs{"type": "native_flow", "v": "1"},
		Content: []waBinary.Node{flow},
	}
	return waBinary.Node{Tag: "biz", Attrs: attrs, Content: append([]waBinary.Node{interactive}, more...)}
}

// fullBiz derives the decision id, 20 bytes that nobody checks, from the message id, because random
// bytes would differ when the same message is sent again.
func fullBiz(s Send) waBinary.Node {
	sum := sha256.Sum256([]byte(s.MessageID))
	return biz(
		waBinary.Attrs{
			"actual_actors":   "2",
			"host_storage":    "2",
			"privacy_mode_ts": strconv.FormatInt(s.At.Unix(), 10),
		},
		waBinary.Node{
			Tag:     "quality_control",
			Attrs:   waBinary.Attrs{"source_type": "third_party", "decision_id": hex.EncodeToString(sum[:20])},
			Content: []waBinary.Node{{Tag: "decision_source", Attrs: waBinary.Attrs{"value": "df"}}},
		},
	)
}

func onlyReplies(buttons []Button) bool {
	for _, b := range buttons {
		if b.Kind() != Reply {
			return false
		}
	}
	return true
}
