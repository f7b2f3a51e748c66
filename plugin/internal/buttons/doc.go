// Package buttons is the request to send a menu of buttons, from bytes to bytes.
//
//	Parse     JSON → Request, or what is wrong with its form
//	Validate  Request → all violations and warnings
//	Encode    Request → the message and the stanza nodes WhatsApp wants, in one of
//	          three profiles
//	Text      Request → the same menu as numbered text, and back from an answer
//	Preview   Request → what a person would see
//
// It guarantees: the messages and their order are the HTTP API's, to the letter;
// nothing unbounded passes Validate; exactly one <biz> node leaves with a menu;
// the same input gives the same output. It does no I/O.
//
// Lengths count characters, that is Unicode code points, as JSON Schema's
// maxLength does, so form, API and node agree without tables that change with
// Unicode. An emoji or a letter with a combining mark may count for more than
// one; nothing is normalised or cut on the way to WhatsApp.
package buttons
