// Package cluster makes hosts that share a Postgres database one: it knows which of them live,
// which of them acts for each thing that a node looks after, and how to call that one.
//
// What it guarantees:
//
//   - A host is a row with an end, renewed several times a second. It counts on its own monotonic
//     clock, gives up before the others take over, and comes back as if it were new.
//   - An owner is a row with an epoch. Whoever takes a subject raises the epoch in one statement, and
//     the node that is told of the epoch fences the one before: see sdk.Node.Claim. The row is the
//     only truth: nobody asks an owner, who may be gone, to let go.
//   - Subjects are spread by count over the hosts whose node works. What belonged to a host that is
//     gone is taken over at the latest [leaseTime] and a second after it was last heard of, and at
//     once when it left in order.
//   - The events of a node are read by one host at a time: one that can run the most of the versions in use.
//   - Hosts call each other over TLS 1.3, each side with a certificate that follows from the
//     database's secret. There is nothing to distribute.
//
// What it does not: two hosts may both believe for a moment that they own a subject. The node's
// database decides then, by the epoch, before anything leaves.
package cluster
