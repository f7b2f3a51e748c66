// Package pool keeps WhatsApp instances connected: one whatsmeow client per
// instance, each with one supervisor.
//
// What the package guarantees:
//
//   - An instance has at most one connection, and its sends leave one after the
//     other, in the order they asked. A send never outlives its context, and one
//     lost acknowledgement blocks the instance for [ackTimeout] at most.
//   - An incoming message is acknowledged to WhatsApp only after [Options.OnMessage] or what it
//     returned has said that it is stored; until then WhatsApp keeps it and delivers it again.
//     At most [unacknowledged] of an instance wait for the disk beside each other, and [inCompany] when others receive, too.
//   - A message that a recipient could not decrypt is sent again with the same
//     stanza nodes it left with the first time, from the ledger, for days.
//   - Whatever ends a connection becomes a named [Status] with the next step to
//     take. What can come back by itself is retried with bounded, jittered delays;
//     what cannot is not retried at all.
//     Such an end is stored: it is still told after a restart.
//   - An instance that is leased belongs to the process that claimed it with the
//     highest epoch. Any other one lets go of it, and sends nothing.
//   - At most [maxDialing] instances dial at a time.
//   - Neither a status nor a log line carries a phone number.
//   - [Pool.Close] ends every goroutine it started.
package pool
