// Package session is whatsmeow's stores on our database: devices and their Signal
// sessions.
//
// What the package guarantees:
//
//   - The ratchets of a send are on disk before whatsmeow sends the message.
//   - A decryption, with its ratchet and plaintext, is one transaction, which is on disk
//     before WhatsApp gets the acknowledgement of the message.
//   - What is remembered in memory is never what a transaction may still undo, nor what
//     a write has overtaken.
package session
