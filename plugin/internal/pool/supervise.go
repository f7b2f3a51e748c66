package pool

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/internal/store/registry"
	"github.com/tapnode/tapnode/plugin/internal/store/session"
)

const (
	redelivery = 15 * time.Second // pause before WhatsApp is asked again for a message that could not be stored
	heartbeat  = 30 * time.Second // how often a silent connection is checked for its login
	lastWords  = time.Second      // how long to wait for a reason after a connection ended
)

// ending describes how one connection ended.
type ending struct {
	dialled bool          // the server was reached
	entered bool          // WhatsApp accepted the login
	login   bool          // and agreed to deliver messages
	stood   time.Duration // how long the connection lasted after that
	by      *verdict      // WhatsApp's reason, or nil
	code    string        // otherwise our reason
	err     error
}

// supervise keeps the instance connected as long as it is wanted. It is the only
// goroutine that connects and disconnects the paired client.
func (i *Instance) supervise() {
	defer close(i.done)
	defer i.hush()
	defer i.acks.close()
	var b backoff
	if s := i.Status(); s.Trouble != nil && i.wanted() { // a ban outlasts a restart
		i.sleep(time.Until(s.Trouble.Until))
	}
	for i.ctx.Err() == nil {
		if !i.wanted() {
			b = backoff{}
			i.rest()
			continue
		}
		i.awaitStore()
		if i.ctx.Err() != nil || !i.wanted() {
			continue
		}
		cli := i.cli.Load()
		if cli == nil {
			continue
		}
		end := i.connection(cli, &b)
		if i.ctx.Err() != nil || !i.wants(cli) {
			continue
		}
		b.ended(end, i.pool.opts.Limits.Lasting)
		if end.by != nil {
			i.sleep(i.accept(end.by, &b))
			continue
		}
		pause := b.next()
		trouble := lost(end, &b)
		trouble.Until = trouble.At.Add(pause)
		i.log.Debug("connection ended", "reason", end.code, "error", redactErr(end.err))
		i.set(Connecting, trouble)
		i.sleep(pause)
	}
}

const triedAgain = ". It is tried again"

// lost describes the end of a connection for which WhatsApp gave no reason.
func lost(end ending, b *backoff) *Trouble {
	t := &Trouble{Code: end.code, At: time.Now(), Message: "the connection to WhatsApp was lost; it is being restored"}
	switch {
	case end.code == codeStorage && !end.dialled:
		t.Message = "the node's database cannot be read, and without it nobody knows whose the instance is; mend it" + triedAgain
	case !end.dialled:
		t.Code, t.Message = unreachable(end.err)
		t.Message += triedAgain
	case end.code == codeStorage:
		t.Message = "an incoming message could not be stored; free disk space or mend the database. WhatsApp keeps the message"
	case b.refused >= refusals:
		t.Code = codeRefused
		t.Message = "WhatsApp closes the connection before the login; check the account on its phone" + triedAgain
	case b.unstable():
		*t = *unstable()
	case end.code == codeDeaf:
		t.Message = "WhatsApp let the instance in and did not agree to deliver messages (" + redactErr(end.err) + "); it logs in again"
	}
	return t
}

func unstable() *Trouble {
	return &Trouble{Code: codeUnstable, At: time.Now(),
		Message: "WhatsApp lets the instance in and the connection ends soon after, again and again; look for a proxy that cuts it, or another process with the same session. It is tried ever more slowly"}
}

// rest keeps the instance offline until something changes.
func (i *Instance) rest() {
	switch now := i.Status(); {
	case i.isLost():
		if now.Trouble == nil || now.Trouble.Code != CodeUnclaimed && now.Trouble.Code != CodeLeaseLost {
			i.change(func(Status) bool { return i.lost }, Replaced, leaseLost())
		}
	case now.State == Connected, now.State == Connecting:
		i.set(Disconnected, nil)
	}
	select {
	case <-i.wake:
	case s := <-i.signals:
		i.late(s)
	case <-i.ctx.Done():
	}
}

// late handles an event of a connection that has ended. Only a verdict that rules out another
// connection matters; late reports whether the event was one.
func (i *Instance) late(s signal) (final bool) {
	v := judge(s.evt)
	return v != nil && s.cli == i.cli.Load() && i.accept(v, &backoff{}) == 0
}

// accept acts on WhatsApp's verdict and returns after what time to try again; 0 means never.
func (i *Instance) accept(v *verdict, b *backoff) (again time.Duration) {
	trouble := &Trouble{Code: v.code, Message: v.message, At: time.Now()}
	if v.outdated && i.pool.web.renew(i.ctx, i.presented) {
		trouble.Message = "WhatsApp refused this client version; it is tried again as a newer one"
		i.set(Connecting, trouble)
		return firstRetry
	}
	ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Store)
	defer cancel()
	if errors.Is(i.owned(ctx), registry.ErrLeaseLost) {
		return 0 // only the new owner may write to the registry now
	}
	if v.state == Replaced && i.epoch.Load() > 0 {
		// We hold the lease, so the process that took over the session holds none.
		again = b.next()
		trouble.Message = "another process connected with the same session and without its lease; stop it. The session is taken back"
		trouble.Until = trouble.At.Add(again)
		i.set(Connecting, trouble)
		return again
	}
	if v.retry > 0 {
		again = v.retry
		if v.patient {
			again = b.pause(v.retry)
			trouble.Message += triedAgain
		}
		trouble.Until = trouble.At.Add(again)
		i.remember(ctx, v.state, trouble)
		i.set(v.state, trouble)
		return again
	}
	if v.unpair {
		i.forget(ctx)
	}
	if err := i.want(ctx, false); err != nil {
		i.notStored("the end of the connection could not be stored", err)
		i.mu.Lock()
		i.online = false // the server would refuse every further login
		i.mu.Unlock()
	}
	i.remember(ctx, v.state, trouble)
	i.set(v.state, trouble)
	return 0
}

// forget removes the paired device from the registry and from memory.
func (i *Instance) forget(ctx context.Context) {
	if err := i.pool.opts.Registry.SetDevice(ctx, i.name, "", ""); err != nil {
		i.notStored("the unpairing could not be stored", err)
	}
	i.cli.Store(nil)
	i.pool.compare(i)
}

// notStored logs that a verdict could not be written to disk. If our own shutdown interrupted the
// write, nothing needs repair: WhatsApp repeats its verdict at the next login.
func (i *Instance) notStored(message string, err error) {
	level := slog.LevelError
	if i.ctx.Err() != nil {
		level = slog.LevelDebug
	}
	i.log.Log(i.ctx, level, message, "error", err)
}

// sleep waits for d, or until the wanted state changes or a late verdict rules out another
// connection.
func (i *Instance) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return
		case <-i.wake:
			return
		case s := <-i.signals:
			if i.late(s) {
				return
			}
		case <-i.ctx.Done():
			return
		}
	}
}

// connection dials cli and returns when that connection has ended.
func (i *Instance) connection(cli *whatsmeow.Client, b *backoff) ending {
	if i.Status().State != Connecting {
		i.set(Connecting, nil)
	}
	select { // many instances start together, so only a few may dial at a time
	case i.pool.dials <- struct{}{}:
	case <-i.ctx.Done():
		return ending{}
	}
	line, hangUp := context.WithCancel(context.WithoutCancel(i.ctx))
	defer hangUp()
	end := ending{code: codeStorage}
	if end.err = i.mayDial(cli); end.err == nil {
		end = i.login(line, hangUp, cli)
	}
	<-i.pool.dials
	if end.login {
		since := time.Now()
		i.doubt(b.unstable())
		i.set(Connected, i.standing())
		i.pool.compare(i)
		i.forgive()
		i.watch(cli, &end)
		end.stood = time.Since(since)
	}
	// When a connection ends, whatsmeow waits 5 s for the server to close it; that is cut short
	// here.
	defer time.AfterFunc(i.pool.opts.Limits.HangUp, hangUp).Stop()
	switch {
	case errors.Is(end.err, errLetGo): // whatsmeow may still be using it
		return end
	case end.by != nil || i.ctx.Err() != nil || !i.wants(cli):
		disconnect(cli)
	default:
		cli.ResetConnection() // an interrupted send waits for the next connection
	}
	session.Rest(cli.Store)
	return end
}

// disconnect ends a client's connection, even while the server is ending it too. In that case
// whatsmeow's Disconnect alone would remove a function that the socket's reader is about to call
// (socket.NoiseSocket.Stop against socket.FrameSocket.Close). It does not do so on a socket that is
// already stopped, which is how ResetConnection leaves it.
func disconnect(cli *whatsmeow.Client) {
	cli.ResetConnection()
	cli.Disconnect()
}

// watch returns when a logged-in connection must end, and sets the reason in end.
func (i *Instance) watch(cli *whatsmeow.Client, end *ending) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	lasted := time.NewTimer(i.pool.opts.Limits.Lasting)
	defer lasted.Stop()
	var again <-chan time.Time // when to ask for an unstored message again
	for {
		select {
		case <-lasted.C:
			if i.doubt(false) {
				i.set(Connected, i.standing())
			}
		case <-i.ctx.Done():
			return
		case <-i.wake:
			if !i.wants(cli) {
				return
			}
			if err := i.storeFailed(); err != nil {
				end.code, end.err = codeStorage, err
				return
			}
		case <-again:
			end.code = codeStorage
			return
		case <-beat.C:
			ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Store)
			lost := i.leased(ctx)
			cancel()
			if errors.Is(lost, registry.ErrLeaseLost) {
				return
			}
			if !cli.IsLoggedIn() || !cli.IsConnected() {
				end.code = codeLost
				return
			}
		case s := <-i.signals:
			if s.cli != cli {
				continue
			}
			if v := judge(s.evt); v != nil {
				end.by = v
				return
			}
			switch e := s.evt.(type) {
			case *events.Disconnected:
				if !cli.IsConnected() {
					end.code = codeLost
					return
				}
			case *events.StreamError, *events.ManualLoginReconnect:
				end.code = codeLost
				return
			case *events.KeepAliveTimeout:
				if time.Since(e.LastSuccess) > i.pool.opts.Limits.Silence {
					end.code = codeKeepAlive
					return
				}
				i.set(Connected, &Trouble{Code: codeKeepAlive, At: time.Now(), Message: "WhatsApp does not answer; the connection is renewed if that goes on"})
			case *events.KeepAliveRestored:
				i.set(Connected, i.standing())
			case errNotStored:
				if i.hopeless() {
					end.code, end.err = codeStorage, e.err
					return
				}
				if again == nil {
					again = time.After(redelivery)
					i.set(Connected, &Trouble{Code: codeStorage, At: time.Now(), Message: "an incoming message could not be stored; free disk space or mend the database. WhatsApp keeps the message"})
				}
			}
		}
	}
}

// login dials and waits until WhatsApp has accepted the login and agreed to deliver messages. line
// is the context of the whole connection and outlives it: whatsmeow closes a connection by itself
// when its context ends, and must not be disconnected at the same time.
func (i *Instance) login(line context.Context, hangUp context.CancelFunc, cli *whatsmeow.Client) ending {
	ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Login)
	defer cancel()
	i.presented = i.pool.web.current()
	i.arm(cli)
	i.dials.Add(1)
	i.pool.moved.ring()
	err := dial(ctx, line, hangUp, cli)
	if err != nil && !errors.Is(err, whatsmeow.ErrAlreadyConnected) {
		return ending{code: codeUnreachable, err: err}
	}
	end := ending{dialled: true}
	agreed := make(chan error, 1)
	var noMore <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			end.code, end.err = codeLost, ctx.Err()
			return end
		case <-i.wake:
			if !i.wants(cli) {
				return end
			}
			if err := i.storeFailed(); err != nil {
				end.code, end.err = codeStorage, err
				return end
			}
		case err := <-agreed:
			if err == nil {
				end.login = true
				return end
			}
			end.code, end.err = codeDeaf, err
			noMore = time.After(lastWords)
		case <-noMore:
			return end
		case s := <-i.signals:
			if s.cli != cli {
				continue
			}
			if end.by = judge(s.evt); end.by != nil {
				return end
			}
			switch s.evt.(type) {
			case *events.Connected:
				// whatsmeow also reports this when WhatsApp has refused to deliver.
				end.entered = true
				go func() { agreed <- askToDeliver(ctx, cli) }()
			case *events.Disconnected, *events.StreamError, *events.ManualLoginReconnect:
				if !cli.IsConnected() || !cli.IsLoggedIn() {
					end.code = codeLost
					return end
				}
			}
		}
	}
}

func redactErr(err error) string {
	if err == nil {
		return ""
	}
	return redact(err.Error())
}
