package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// MessageID derives the WhatsApp id of the message that (instance, operation,
// key) sends: "3EB0" and 18 upper-case hex digits, the form of whatsmeow's
// Client.GenerateMessageID. The same three always give the same id, so a send
// that is repeated after a crash is recognised by every receiver.
func MessageID(instance, operation, key string) string {
	sum := digest("tapnode/message-id/v1", instance, operation, key)
	return "3EB0" + strings.ToUpper(hex.EncodeToString(sum[:9]))
}

// EventID derives the id of the event about one incoming message. WhatsApp
// delivers a message again until it is acknowledged; sender is without its
// device, so that every delivery of a message gives the same id.
func EventID(kind, instance, chat, sender, messageID string) string {
	sum := digest("tapnode/event-id/v1", kind, instance, chat, sender, messageID)
	return hex.EncodeToString(sum[:16])
}

// digest hashes parts unambiguously: each is preceded by its length.
func digest(domain string, parts ...string) [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d:%s", len(domain), domain)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
