package pool

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow"

	"github.com/tapnode/tapnode/plugin/internal/store/session"
)

// A message that cannot be stored must not be answered: WhatsApp would forget it. So a
// line whose database fails is hung up before anything is said about what came over it,
// and dialled again when the database works. WhatsApp delivers then what it has kept.

// storeLook is how often an instance without a database asks whether it works again.
const storeLook = 500 * time.Millisecond

// errNotStored is the signal that a message waits at the server because it could
// not be stored.
type errNotStored struct{ err error }

// arm makes the stores of a client ready for the connection that is about to be dialled.
func (i *Instance) arm(cli *whatsmeow.Client) {
	i.unstored.Store(nil)
	i.kept.Store(0)
	i.arriving.forget()
	session.Arm(cli.Store, func(err error) {
		i.kept.Add(1)
		i.pool.moved.ring()
		i.unstored.Store(&err)
		i.pool.opts.Storage.Suspect()
		i.stir()
	})
}

// storeFailed is why the present connection's stores have failed; nil while they work.
func (i *Instance) storeFailed() error {
	if err := i.unstored.Load(); err != nil {
		return *err
	}
	return nil
}

// awaitStore waits until the database works, or until the instance is not wanted online.
func (i *Instance) awaitStore() {
	for told := false; i.ctx.Err() == nil && i.wanted(); told = true {
		err := i.pool.opts.Storage.Err()
		if err == nil {
			return
		}
		if !told {
			i.set(Connecting, i.notStoring(err))
		}
		i.sleep(storeLook)
	}
}

// hopeless reports whether a message that its handler could not store could not be
// stored by anybody: then there is no use in keeping the line.
func (i *Instance) hopeless() bool {
	ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Store)
	defer cancel()
	i.pool.opts.Storage.Suspect()
	return i.pool.opts.Storage.Look(ctx) != nil
}

// notStoring says that the database keeps the instance offline. The database's own words
// are for the log: they may name hosts and users.
func (i *Instance) notStoring(err error) *Trouble {
	i.log.Warn("the database cannot be used; the line to WhatsApp stays down until it can", "error", redactErr(err))
	t := &Trouble{Code: codeStorage, At: time.Now(),
		Message: "the node's database cannot be used: free disk space or mend it. The line to WhatsApp is down until then, and WhatsApp keeps what comes in"}
	if n := i.kept.Load(); n > 0 {
		t.Message += fmt.Sprintf(" (%d messages or receipts could not be stored so far)", n)
	}
	return t
}
