package pool

import (
	"context"
	"reflect"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
)

// whatsmeow keeps the last 256 messages of each client in memory, with their content, to send them
// again to devices that ask for them. Here the ledger does that (see messageForRetry), so only the
// key of a sent message is kept: this saves 1.4 MiB for a client that has sent that many.

// forgetSent drops the message and keeps its key.
func forgetSent(ctx context.Context, cli *whatsmeow.Client, chat types.JID, id types.MessageID) {
	_ = cli.DangerousInternals().AddRecentMessage(ctx, chat, id, nil, nil) // fails only if whatsmeow has its own store for them
}

// remembersNothing frees the space reserved for those messages in a client that is not in use yet:
// 40 KiB, a quarter of what an idle instance needs. whatsmeow offers no way to do that, so the map
// is replaced by an empty one through reflection. A version of whatsmeow without that map is left
// unchanged.
func remembersNothing(cli *whatsmeow.Client) {
	recent := reflect.ValueOf(cli).Elem().FieldByName("recentMessagesMap")
	if recent.Kind() != reflect.Map {
		return
	}
	reflect.NewAt(recent.Type(), recent.Addr().UnsafePointer()).Elem().Set(reflect.MakeMap(recent.Type()))
}
