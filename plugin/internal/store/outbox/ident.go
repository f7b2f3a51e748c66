package outbox

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// EventID derives the id of the event about one incoming message. WhatsApp
// delivers a message again until it is acknowledged; sender is without its
// device, so that every delivery of a message gives the same id.
func EventID(kind, instance, chat, sender, messageID string) string {
	sum := Digest("tapnode/event-id/v1", kind, instance, chat, sender, messageID)
	return hex.EncodeToString(sum[:16])
}

// Digest hashes parts unambiguously: each is preceded by its length.
func Digest(domain string, parts ...string) [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d:%s", len(domain), domain)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
