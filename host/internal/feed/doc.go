// Package feed tells readers what is in the outbox, as it comes and from where they were: over
// WebSocket, as server-sent events, or by the page.
//
// What it guarantees:
//
//   - A reader that names the last sequence that it has gets all that follows which it wants, in
//     order, over any restart of either side. What was removed meanwhile is said as an event of
//     type stream.gap.v1 that names what may be missing. Nothing is left out in silence.
//   - What a reader costs does not grow with how slow it is: the newest events are in memory once
//     for all of them, a reader that is further behind reads the store by pages of 64 KiB and an
//     event at most, and one that the outbox overtakes there, or that does not take a message
//     within a time, is ended.
//   - Streams are counted, in all and of each token, and end with the server; those who are told
//     why are told when to come back, each at another moment.
package feed
