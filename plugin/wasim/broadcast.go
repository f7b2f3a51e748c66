package wasim

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// lists holds the broadcast lists through which messages of an account are sent, by message id.
type lists struct{ sync.Map }

func (l *lists) of(id types.MessageID) (types.JID, bool) {
	list, ok := l.Load(id)
	if !ok {
		return types.EmptyJID, false
	}
	return list.(types.JID), true
}

// Broadcast sends a message to several people through a broadcast list: each gets a private copy under the same id, which
// is returned, and their devices are told that it came from the list. Without an error the server has acknowledged every
// copy; a phone that is offline keeps them until Connect.
func (p *Phone) Broadcast(ctx context.Context, to []types.JID, msg *waE2E.Message) (types.MessageID, error) {
	id, sent := p.cli.GenerateMessageID(), &p.account.lists
	sent.Store(id, types.NewJID(strconv.FormatInt(time.Now().Unix(), 10), types.BroadcastServer))
	defer sent.Delete(id)
	var failed []error
	for _, person := range to {
		_, err := p.send(ctx, person, msg, whatsmeow.SendRequestExtra{ID: id})
		failed = append(failed, err)
	}
	return id, errors.Join(failed...)
}

// throughList addresses a copy as one that came through a broadcast list.
func throughList(list types.JID, attrs waBinary.Attrs) {
	attrs["from"], attrs["participant"] = list, attrs["from"]
	for _, alt := range []struct{ private, list string }{{"sender_pn", "participant_pn"}, {"sender_lid", "participant_lid"}} {
		if v, ok := attrs[alt.private]; ok {
			attrs[alt.list] = v
			delete(attrs, alt.private)
		}
	}
}
