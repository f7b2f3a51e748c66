package pool

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

const (
	firstRetry = 250 * time.Millisecond // fast: whatsmeow repeats a cut send if we are back within 5 s
	lastRetry  = time.Minute
	slowRetry  = 5 * time.Minute // once the server looks like refusing us

	// refusals is after how many connections in a row that ended before the login
	// the server is taken to refuse us: whatsmeow loses the <failure> that says so
	// when the socket closes right behind it.
	refusals = 5

	redelivery = 15 * time.Second // until a message that could not be stored is asked for again
	heartbeat  = 30 * time.Second // how often a login is checked that no event speaks of
)

// ending is how one connection ended.
type ending struct {
	login   bool     // it had logged in
	dialled bool     // it had reached the server
	by      *verdict // WhatsApp's reason, or nil
	code    string   // else our reason
	err     error
}

// supervise keeps the instance connected as long as it is wanted. It is the only
// goroutine that connects and disconnects the paired client.
func (i *Instance) supervise() {
	defer close(i.done)
	delay, refused := firstRetry, 0
	if s := i.Status(); s.Trouble != nil && i.wanted() { // a ban goes on over a restart
		i.sleep(time.Until(s.Trouble.Until))
	}
	for i.ctx.Err() == nil {
		if !i.wanted() {
			delay, refused = firstRetry, 0
			i.rest()
			continue
		}
		i.awaitStore()
		if i.ctx.Err() != nil || !i.wanted() {
			continue
		}
		end := i.connection(i.cli.Load())
		switch {
		case i.ctx.Err() != nil || !i.wanted():
			continue
		case end.by != nil:
			if !i.accept(end.by) {
				continue
			}
			i.sleep(end.by.retry)
			continue
		case end.login:
			delay, refused = firstRetry, 0
		case end.dialled && end.code != codeStorage:
			refused++
		}
		pause := delay/2 + rand.N(delay)
		delay = min(2*delay, lastRetry)
		trouble := &Trouble{Code: end.code, At: time.Now(), Message: "the connection to WhatsApp was lost; it is being restored"}
		if !end.dialled {
			trouble.Message = "WhatsApp cannot be reached; check the network. It is tried again. (" + redactErr(end.err) + ")"
		}
		if end.code == codeStorage {
			trouble = i.notStoring(end.err)
		}
		if refused >= refusals {
			pause = slowRetry/2 + rand.N(slowRetry)
			trouble.Code = codeRefused
			trouble.Message = "WhatsApp closes the connection before the login; check the account on its phone. It is tried again"
		}
		trouble.Until = trouble.At.Add(pause)
		i.log.Debug("connection ended", "reason", end.code, "error", redactErr(end.err))
		i.set(Connecting, trouble)
		i.sleep(pause)
	}
}

// rest keeps the instance offline until something changes.
func (i *Instance) rest() {
	switch now := i.Status(); {
	case i.isLost():
		if now.Trouble == nil || now.Trouble.Code != codeUnclaimed && now.Trouble.Code != codeLeaseLost {
			i.set(Replaced, leaseLost())
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

// late takes news of a connection that has ended: of interest only when it says
// that there will be no other.
func (i *Instance) late(s signal) (final bool) {
	v := judge(s.evt)
	return v != nil && s.cli == i.cli.Load() && !i.accept(v)
}

// accept acts on WhatsApp's verdict and reports whether to try again later.
func (i *Instance) accept(v *verdict) (again bool) {
	trouble := &Trouble{Code: v.code, Message: v.message, At: time.Now()}
	if v.outdated && i.pool.web.renew(i.ctx, i.presented) {
		trouble.Message = "WhatsApp refused this client version; it is tried again as a newer one"
		i.set(Connecting, trouble)
		return true
	}
	ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Store)
	defer cancel()
	if errors.Is(i.owned(ctx), registry.ErrLeaseLost) {
		return false // the registry is the new owner's to write
	}
	if v.retry > 0 {
		trouble.Until = trouble.At.Add(v.retry)
		i.remember(ctx, v.state, trouble)
		i.set(v.state, trouble)
		return true
	}
	if v.unpair {
		i.forget(ctx)
	}
	if err := i.want(ctx, false); err != nil {
		i.notStored("the end of the connection could not be stored", err)
		i.mu.Lock()
		i.online = false // the server would only refuse us again
		i.mu.Unlock()
	}
	i.remember(ctx, v.state, trouble)
	i.set(v.state, trouble)
	return false
}

// forget drops the paired device, in the registry and here.
func (i *Instance) forget(ctx context.Context) {
	if err := i.pool.opts.Registry.SetDevice(ctx, i.name, "", ""); err != nil {
		i.notStored("the unpairing could not be stored", err)
	}
	i.cli.Store(nil)
}

// notStored reports a verdict that is not on disk. When it is our own stop that cut
// the write there is nothing to mend: WhatsApp repeats its verdict at the next login.
func (i *Instance) notStored(message string, err error) {
	level := slog.LevelError
	if i.ctx.Err() != nil {
		level = slog.LevelDebug
	}
	i.log.Log(i.ctx, level, message, "error", err)
}

// sleep waits, at most until somebody changes what is wanted.
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

// connection is the whole life of one connection of cli.
func (i *Instance) connection(cli *whatsmeow.Client) ending {
	if i.Status().State != Connecting {
		i.set(Connecting, nil)
	}
	select { // many instances start together: let a few dial at a time
	case i.pool.dials <- struct{}{}:
	case <-i.ctx.Done():
		return ending{}
	}
	line, hangUp := context.WithCancel(context.WithoutCancel(i.ctx))
	defer hangUp()
	end := i.login(line, hangUp, cli)
	<-i.pool.dials
	if end.login {
		i.kept.Store(0)
		i.set(Connected, nil)
		i.forgive()
		i.watch(cli, &end)
	}
	if end.by != nil || i.ctx.Err() != nil || !i.wanted() {
		cli.Disconnect()
	} else {
		cli.ResetConnection() // a send that is cut waits for the next connection
	}
	return end
}

// watch stays until a connection that has logged in must end, and says why.
func (i *Instance) watch(cli *whatsmeow.Client, end *ending) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var again <-chan time.Time // the moment to ask for a message once more
	for {
		select {
		case <-i.ctx.Done():
			return
		case <-i.wake:
			if !i.wanted() {
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
				i.set(Connected, nil)
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

// login dials and waits for the login. line is the context of the whole connection,
// and ends after it: whatsmeow closes a connection by itself when its context ends,
// and does not expect a Disconnect at the same time.
func (i *Instance) login(line context.Context, hangUp func(), cli *whatsmeow.Client) ending {
	ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Login)
	defer cancel()
	dialling := context.AfterFunc(ctx, hangUp)
	i.presented = i.pool.web.current()
	i.arm(cli)
	i.dials.Add(1)
	err := cli.ConnectContext(line)
	dialling()
	if err != nil && !errors.Is(err, whatsmeow.ErrAlreadyConnected) {
		return ending{code: codeUnreachable, err: err}
	}
	for {
		select {
		case <-ctx.Done():
			return ending{dialled: true, code: codeLost, err: ctx.Err()}
		case <-i.wake:
			if !i.wanted() {
				return ending{dialled: true}
			}
			if err := i.storeFailed(); err != nil {
				return ending{dialled: true, code: codeStorage, err: err}
			}
		case s := <-i.signals:
			if s.cli != cli {
				continue
			}
			if v := judge(s.evt); v != nil {
				return ending{dialled: true, by: v}
			}
			switch s.evt.(type) {
			case *events.Connected:
				return ending{dialled: true, login: true}
			case *events.Disconnected, *events.StreamError:
				if !cli.IsConnected() || !cli.IsLoggedIn() {
					return ending{dialled: true, code: codeLost}
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
