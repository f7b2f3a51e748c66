// Package clicks turns incoming WhatsApp messages into clicks on our menus and into received
// messages, and finds the menu that each of them answers.
//
// The sender, a person or a program, controls everything in a message: an id, a label, even the
// quote. The package therefore believes only what it can check: that menu M was sent to chat C and
// had button B. Correlate returns a menu only if that holds; the id and label it returns are those
// of the stored menu, never the sender's.
//
// The package does no I/O. The caller looks up menus by Click.QuotedID and Click.Keys, and stores
// what makes a click unique: (instance, chat, sender, message id).
package clicks
