// Package events tells others what happened: the catalogue of events, the outbox that they are
// read from, and the webhooks that are called with them.
//
// What it guarantees:
//
//   - An event is in the outbox with the change that it led to, or before its node hears that it
//     was taken. A webhook gets each that it wants at least once, always under the same id,
//     until a limit says otherwise; then it is a dead letter, or the webhook counts it as lost.
//   - The events of an instance, or else of a run, reach a webhook one after the other in the
//     order of the outbox, unless it is set to take them as they come.
//   - No receiver holds up a flow, another webhook, or another instance's events. One that fails is
//     tried more and more rarely, for [tryFor].
//   - Addresses are dialled through package netguard. Redirects are not followed. Keys are
//     derived from the server's secret and stored nowhere; no address, key or phone number is
//     logged.
//   - One host of those that share a database delivers at a time.
package events
