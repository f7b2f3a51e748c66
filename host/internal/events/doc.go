// Package events publishes events: it has the catalogue of event types, the outbox that readers
// read events from, and the webhooks that deliver events to receivers.
//
// What it guarantees:
//
//   - An event is stored in the outbox together with the change that belongs to it, or before its
//     acknowledgement to the node. A webhook gets each event that it wants at least once, always
//     under the same id, until a limit is exceeded; the event then becomes a dead letter, or the
//     webhook counts it as lost.
//   - The events of an instance (of a run, if they have no instance) reach a webhook one at a time
//     in the order of the outbox, unless the webhook is set to unordered.
//   - No receiver holds up a flow, another webhook, or another instance's events. An event that a
//     receiver fails to take is retried at growing intervals, for [tryFor].
//   - Addresses are dialled through package netguard. Redirects are not followed. Keys are
//     derived from the server's secret and stored nowhere; no address, key or phone number is
//     logged.
//   - Of the hosts that share a database, one delivers at a time.
package events
