package send

import (
	"context"
	"errors"
	"time"

	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/problem"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/inbox"
)

// timer is how long messages of the chat live. A person's phone tells it when it is set
// and with every message; a group's is asked for once and told from then on.
func (s *Sender) timer(ctx context.Context, inst *pool.Instance, o order, to types.JID, chat recipient.Chat) (inbox.Timer, error) {
	t, err := s.Store.Inbox.Timer(ctx, o.instance, chat)
	if err == nil || !errors.Is(err, sqldb.ErrNotFound) {
		return t, storage(err)
	}
	if to.Server != types.GroupServer {
		return inbox.Timer{}, nil
	}
	cli, err := inst.Client()
	if err != nil {
		return t, problem.Disconnected()
	}
	// whatsmeow asks the same before its first message to a group, and remembers this answer.
	asking, cancel := context.WithTimeout(ctx, s.QueryTime)
	defer cancel()
	group, err := cli.GetGroupInfo(asking, to)
	if err != nil {
		return t, resolveProblem(o.what, err)
	}
	t = inbox.Timer{SetAt: time.Now()}
	if group.IsEphemeral {
		t.Seconds = group.DisappearingTimer
	}
	return t, storage(s.Store.Inbox.SetTimer(ctx, o.instance, chat, t))
}

func storage(err error) error {
	if err == nil {
		return nil
	}
	return problem.Storage(err)
}
