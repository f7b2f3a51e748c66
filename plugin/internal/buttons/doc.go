// Package buttons handles a request to send a menu of buttons, from the bytes of the request to
// the message for WhatsApp.
//
//	Parse     JSON → Request, or what is wrong with its form
//	Validate  Request → all violations and warnings
//	Encode    Request → the message and the stanza nodes WhatsApp wants, in one of
//	          three profiles
//	Text      Request → the same menu as numbered text, and back from an answer
//	Preview   Request → what a person would see
//
// The package guarantees: violations have exactly the messages and the order of the HTTP API;
// nothing unbounded passes Validate; a menu is sent with exactly one <biz> node; the same input
// gives the same output. It does no I/O.
//
// Lengths count characters, that is Unicode code points, as JSON Schema's maxLength does, so that
// the form, the API and the node agree without tables that change with the Unicode version. An
// emoji or a letter with a combining mark may count for more than one. Nothing is normalised or
// cut on the way to WhatsApp.
package buttons
