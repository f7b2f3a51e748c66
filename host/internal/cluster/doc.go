// Package cluster joins the hosts that share a Postgres database. It knows which hosts live, which host
// acts for each subject (a thing that a node looks after, such as an instance), and how to call that host.
//
// What it guarantees:
//
//   - A host is a row with an expiry, renewed several times a second. The host measures its lease on its
//     own monotonic clock, gives up before the others take over, and comes back as if it were new.
//   - An owner is a row with an epoch. A host that takes a subject raises the epoch in one statement, and
//     the node that is told of the new epoch fences off the previous owner: see sdk.Node.Claim. The row
//     alone decides: an owner, which may be gone, is never asked to let go.
//   - Subjects are spread by count over the hosts whose node works. Those of a host that is gone are taken
//     over at the latest [leaseTime] plus a second after it was last heard of, and at once if it left in
//     order.
//   - The events of a node are read by one host at a time: one that can run the most of the flow versions
//     in use.
//   - Hosts call each other over TLS 1.3, each side with a certificate derived from the database's secret.
//     There is nothing to distribute.
//
// What it does not guarantee: for a moment, two hosts may both believe that they own a subject. The node's
// database then decides by the epoch, before anything leaves.
package cluster
