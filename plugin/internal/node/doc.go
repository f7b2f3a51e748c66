// Package node is the node whatsapp-send-buttons: its operations, each a thin
// adapter from the sdk to the packages beside it (buttons, recipient, clicks: pure;
// media, pool, store: with effects).
//
// What the package guarantees:
//
//   - One message per idempotency key. Its id is derived from the key; the message
//     and its menu are on disk before it leaves and the outcome after; a repeat
//     answers with the stored outcome, or sends the stored bytes under the same id.
//   - A click is on disk before WhatsApp gets its acknowledgement, once per message
//     of the person who pressed, and carries the correlation of the send it answers.
//   - What WhatsApp refuses becomes a problem with what is known of the effect and
//     the next step; nothing asked for is dropped in silence.
package node
