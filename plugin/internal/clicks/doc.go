// Package clicks turns incoming WhatsApp messages into clicks on our menus and
// into messages received, and finds the menu that each one answers.
//
// Everything in a message is written by the person who sent it, or by a program
// in their place: an id, a label, even the quote. So nothing in it is believed but
// one thing that we can check, that menu M was sent to chat C and had button B.
// Correlate names a menu only where that holds; the id and label it gives are the
// stored menu's, never the sender's.
//
// The package does no I/O. The caller looks up menus by Click.QuotedID and
// Click.Keys, and keeps what makes a click unique: (instance, chat, sender,
// message id).
package clicks
