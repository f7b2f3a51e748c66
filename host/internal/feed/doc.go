// Package feed sends the events of the outbox to readers, as they come and from where each reader
// left off: over WebSocket, as server-sent events, or by the page.
//
// What it guarantees:
//
//   - A reader that names the last sequence that it has gets every later event that it wants, in
//     order, across restarts of either side. If events were removed meanwhile, an event of type
//     stream.gap.v1 names what may be missing. Nothing is left out silently.
//   - A slow reader costs no more than a fast one: the newest events are in memory once for all
//     readers. A reader that is further behind reads the store in pages of 64 KiB plus one event at
//     most. It is disconnected when the events it is about to read are removed, or when it does not
//     take a message in time.
//   - Streams are limited, in all and for each token, and end with the server. A reader that is
//     told why its stream ends is also told when to come back, each at another moment, unless the
//     end is its own fault.
package feed
