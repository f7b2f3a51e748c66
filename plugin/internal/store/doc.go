// Package store keeps what a WhatsApp process must not forget, in one database, SQLite
// or Postgres. Each concept is a package of its own: the ledger of sends, the menus that
// wait for a click, the outbox of events for hosts, the registry of instances,
// whatsmeow's sessions, the inbox of messages, a cache. This package opens the database,
// holds its schema, and removes what is old.
//
// What all of them guarantee:
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
//     is stored.
//   - Unique by index. One ledger row per (operation, key), one event per id, one
//     owner per instance epoch; never by reading first and writing later.
//   - Bounded. Every table has a retention and a limit, kept by [Store.Start].
//
// Times are stored in milliseconds and come back in UTC. JIDs are strings without
// a device part unless a field says otherwise.
package store
