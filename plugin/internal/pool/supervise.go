package pool

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"
)

const (
	firstRetry = 250 * time.Millisecond // fast: whatsmeow repeats a cut send if we are back within 5 s
	lastRetry  = time.Minute
	slowRetry  = 5 * time.Minute // once the server looks like refusing us

	// refusals is after how many connections in a row that ended before the login
	// the server is taken to refuse us: whatsmeow loses the <failure> that says so
	// when the socket closes right behind it.
	refusals = 5

	silence    = 75 * time.Second // without a keep-alive answer before the connection is given up
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
	for i.ctx.Err() == nil {
		if !i.wanted() {
			delay, refused = firstRetry, 0
			select {
			case <-i.wake:
			case <-i.signals: // of a connection that has ended
			case <-i.ctx.Done():
			}
			continue
		}
		cli := i.cli.Load()
		end := i.connection(cli)
		switch {
		case i.ctx.Err() != nil:
			return
		case !i.wanted():
			if i.Status().State != LoggedOut && i.Status().State != New {
				i.set(Disconnected, nil)
			}
			continue
		case end.by != nil:
			if !i.accept(end.by) {
				continue
			}
			i.sleep(end.by.retry)
			continue
		case end.login:
			delay, refused = firstRetry, 0
		case end.dialled:
			refused++
		}
		pause := delay/2 + rand.N(delay)
		delay = min(2*delay, lastRetry)
		trouble := &Trouble{Code: end.code, At: time.Now(), Message: "the connection to WhatsApp was lost; it is being restored"}
		if !end.dialled {
			trouble.Message = "WhatsApp cannot be reached; check the network. It is tried again. (" + redactErr(end.err) + ")"
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

// accept acts on WhatsApp's verdict and reports whether to try again later.
func (i *Instance) accept(v *verdict) (again bool) {
	trouble := &Trouble{Code: v.code, Message: v.message, At: time.Now()}
	if v.retry > 0 {
		trouble.Until = trouble.At.Add(v.retry)
		i.set(v.state, trouble)
		return true
	}
	ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Store)
	defer cancel()
	if v.unpair {
		i.forget(ctx)
	}
	if err := i.want(ctx, false); err != nil {
		i.log.Error("the end of the connection could not be stored", "error", err)
		i.mu.Lock()
		i.online = false // the server would only refuse us again
		i.mu.Unlock()
	}
	i.set(v.state, trouble)
	return false
}

// forget drops the paired device, in the registry and here.
func (i *Instance) forget(ctx context.Context) {
	if err := i.pool.opts.Store.SetDevice(ctx, i.name, "", ""); err != nil {
		i.log.Error("the unpairing could not be stored", "error", err)
	}
	i.cli.Store(nil)
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
		case <-i.signals: // late news of the connection that has ended
		case <-i.ctx.Done():
			return
		}
	}
}

// connection is the whole life of one connection of cli. The client is
// disconnected when it returns.
func (i *Instance) connection(cli *whatsmeow.Client) ending {
	if i.Status().State != Connecting {
		i.set(Connecting, nil)
	}
	select { // many instances start together: let a few dial at a time
	case i.pool.dials <- struct{}{}:
	case <-i.ctx.Done():
		return ending{}
	}
	end := i.login(cli)
	<-i.pool.dials
	defer cli.Disconnect()
	if !end.login {
		return end
	}
	i.set(Connected, nil)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var again <-chan time.Time // the moment to ask for a message once more
	for {
		select {
		case <-i.ctx.Done():
			return end
		case <-i.wake:
			if !i.wanted() {
				return end
			}
		case <-again:
			end.code = codeStorage
			return end
		case <-beat.C:
			if !cli.IsLoggedIn() || !cli.IsConnected() {
				end.code = codeLost
				return end
			}
		case s := <-i.signals:
			if s.cli != cli {
				continue
			}
			if v := judge(s.evt); v != nil {
				end.by = v
				return end
			}
			switch e := s.evt.(type) {
			case *events.Disconnected:
				if !cli.IsConnected() {
					end.code = codeLost
					return end
				}
			case *events.StreamError, *events.ManualLoginReconnect:
				end.code = codeLost
				return end
			case *events.KeepAliveTimeout:
				if time.Since(e.LastSuccess) > silence {
					end.code = codeKeepAlive
					return end
				}
				i.set(Connected, &Trouble{Code: codeKeepAlive, At: time.Now(), Message: "WhatsApp does not answer; the connection is renewed if that goes on"})
			case *events.KeepAliveRestored:
				i.set(Connected, nil)
			case errNotStored:
				if again == nil {
					again = time.After(redelivery)
					i.set(Connected, &Trouble{Code: codeStorage, At: time.Now(), Message: "an incoming message could not be stored; free disk space or mend the database. WhatsApp keeps the message"})
				}
			}
		}
	}
}

// login dials and waits for the login.
func (i *Instance) login(cli *whatsmeow.Client) ending {
	ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Login)
	defer cancel()
	// The context of a connection ends the connection: it must be the instance's.
	if err := cli.ConnectContext(i.ctx); err != nil && !errors.Is(err, whatsmeow.ErrAlreadyConnected) {
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
