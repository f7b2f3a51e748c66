package pool

import (
	"context"
	"reflect"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
)

// whatsmeow keeps the last 256 messages of each client in memory, with all that is in them, to send
// them again to devices that ask for it. Here the ledger does that (see messageForRetry), so of a
// message that has left only its name stays: 1.4 MiB less for a client that has sent as many.

// forgetSent drops the message and keeps its name.
func forgetSent(ctx context.Context, cli *whatsmeow.Client, chat types.JID, id types.MessageID) {
	_ = cli.DangerousInternals().AddRecentMessage(ctx, chat, id, nil, nil) // fails only with a store of its own
}

// remembersNothing takes the room for those messages from a client that is not in use yet: 40 KiB, a
// quarter of what an idle instance needs. Nothing of whatsmeow's offers that, so the map is replaced
// by an empty one. A whatsmeow that has no such map keeps what it has.
func remembersNothing(cli *whatsmeow.Client) {
	recent := reflect.ValueOf(cli).Elem().FieldByName("recentMessagesMap")
	if recent.Kind() != reflect.Map {
		return
	}
	reflect.NewAt(recent.Type(), recent.Addr().UnsafePointer()).Elem().Set(reflect.MakeMap(recent.Type()))
}
