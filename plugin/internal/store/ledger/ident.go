package ledger

import (
	"encoding/hex"
	"strings"

	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
)

// MessageID derives the WhatsApp id of the message that (instance, operation,
// key) sends: "3EB0" and 18 upper-case hex digits, the form of whatsmeow's
// Client.GenerateMessageID. The same three always give the same id, so a send
// that is repeated after a crash is recognised by every receiver.
func MessageID(instance, operation, key string) string {
	sum := outbox.Digest("tapnode/message-id/v1", instance, operation, key)
	return "3EB0" + strings.ToUpper(hex.EncodeToString(sum[:9]))
}
