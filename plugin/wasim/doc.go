// Package wasim is a WhatsApp server for tests and experiments. It speaks the real protocol on loopback, so that
// unmodified whatsmeow clients pair, send, receive and reconnect against it as they do against WhatsApp.
//
// Start returns a Server. An Account is a number whose phone the server plays: Scan reads the QR code that a client
// shows, EnterCode types the eight-character link code instead, and AnswerPasskey touches the owner's authenticator.
// A Phone is a customer: a whatsmeow client that is the only device of its own number, with an inbox as a person sees it
// and a Click for every button. Groups and Newsletters complete the picture. Trust and Attach make a client connect
// to this server instead of WhatsApp.
//
// The same functions are available over HTTP under ControlPath; docs/wasim.md is the guide.
//
// Guarantees:
//
//   - Messages are end-to-end encrypted by the clients; the server relays ciphertext and keeps none of the keys,
//     except those of the phones it plays. Posts of newsletters are in the clear, as they are at WhatsApp.
//   - A stanza for a device stays in that device's queue until the device acknowledges it, over any number of
//     connections, and is sent again with offline=n on each new one. Order is kept per sender and device.
//   - A message id that is sent twice is relayed twice: the server does not hide duplicates. Phones do, as real
//     phones do: they show one message per chat, sender and id, and count the copies.
//   - Every queue, table and record is bounded (Limits); Close ends every goroutine.
//   - Faults happen only where they are asked for: by rule (AddFault), by function (Options.OnFault) or by a method
//     of a Device or Account.
//
// What WhatsApp does beyond the protocol (rate limits, bans, which buttons it renders) is not simulated. A stanza the
// server has no handler for is answered with an empty result and listed by Unhandled.
package wasim
