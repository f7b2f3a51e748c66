// Package store keeps what a WhatsApp process must not forget: instances and
// their Signal sessions, the ledger of sends, menus waiting for a click, events
// on their way to a host, and a few caches. It runs on SQLite (a file of its
// own) and on Postgres behind one API.
//
// What the package guarantees:
//
//   - Committed before visible. A method that writes returns only after its
//     transaction is committed, so a crash of the process takes nothing of it. What
//     must survive a power cut is on disk too, unless [Options.Relaxed]: ratchets and
//     with them the intents before them, before whatsmeow sends the message they
//     belong to, and events before WhatsApp gets its acknowledgement. What a power
//     cut may take is what can be had again: an outcome (the send is an intent
//     again, and is repeated under its id), receipts, caches. Postgres syncs
//     every commit.
//   - All or nothing. Every call is one transaction; after an error nothing of it
//     is stored. [ErrDiskFull] and [ErrBusy] name the two that an operator can mend.
//   - Unique by index. One ledger row per (operation, key), one event per id, one
//     owner per instance epoch; never by reading first and writing later.
//   - Bounded. Every table has a retention and a limit, kept by [Store.Start]'s
//     janitor in small batches.
//   - Writes of many instances share commits: one goroutine batches what is
//     waiting into one transaction, so a hundred senders do not queue for a
//     hundred fsyncs.
//
// Times are stored in milliseconds and come back in UTC. JIDs are strings without
// a device part unless a field says otherwise.
package store
