// Package pool keeps WhatsApp instances connected: one whatsmeow client per instance, each with one
// supervisor.
//
// What the package guarantees:
//
//   - An instance has at most one connection, and its sends leave one after the other, in the
//     order in which they were requested. A send never outlives its context, and one lost
//     acknowledgement blocks the instance for at most [Limits.Ack].
//   - An incoming message is acknowledged to WhatsApp only after [Options.OnMessage], or the
//     function it returned, has reported that the message is stored; until then WhatsApp keeps the
//     message and delivers it again. At most [unacknowledged] messages of an instance wait for the
//     disk at the same time, or [inCompany] while other instances also receive messages.
//   - A message that a recipient could not decrypt is sent again with the same stanza nodes as the
//     first time, read from the ledger, for days.
//   - Whatever ends a connection becomes a named [Status] with the next step to take. A failure
//     that can pass by itself is retried with bounded, jittered delays; any other is not retried,
//     and is stored so that it is still reported after a restart.
//   - A leased instance belongs to the process that claimed it with the highest epoch. Every other
//     process releases it and sends nothing.
//   - At most [maxDialing] instances dial at a time.
//   - Neither a status nor a log line carries a phone number.
//   - [Pool.Close] ends every goroutine that the pool started.
package pool
