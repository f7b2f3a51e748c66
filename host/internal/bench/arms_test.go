package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/host/internal/app"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/plugin/wasim/bare"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// hostArm is the product: app, node binary as a child process, gRPC with mutual TLS.
func (l *lab) hostArm() *arm {
	l.tb.Helper()
	a := newArm("tapnode")
	a.grow = func(n int) error {
		began := len(a.accounts)
		for i := began; i < n; i++ {
			account, err := l.sim.NewAccount(fmt.Sprintf("55113%08d", i))
			if err != nil {
				return err
			}
			a.accounts = append(a.accounts, account)
		}
		return together(began, n, func(i int) error { return l.pair(instance(i), a.accounts[i]) })
	}
	var keys atomic.Int64
	a.send = func(ctx context.Context, from int, to *wasim.Account) error {
		_, err := l.host.Execute(ctx, client.Request{
			Operation: "whatsapp.sendButtons@1", Input: menu(instance(from), to.Phone()), Key: fmt.Sprintf("key-%d", keys.Add(1)),
		}, nil)
		return err
	}
	hear := func(ev sdk.Event) {
		if ev.Type == typeClicked {
			a.heard()
		}
	}
	l.events.Store(&hear)
	l.start()
	l.tb.Cleanup(l.stop)
	return a
}

func instance(i int) string { return fmt.Sprintf("shop-%d", i) }

// start starts a host on what the last one left.
func (l *lab) start() {
	l.tb.Helper()
	settings, err := json.Marshal(map[string]any{
		"server": map[string]any{"url": l.sim.URL(), "rootKey": l.sim.RootKey()},
		"pacing": map[string]any{"perMinute": 0},
	})
	l.must(err)
	l.host, err = app.Open(app.Options{
		Nodes: installed, DataDir: l.data, Settings: map[string]json.RawMessage{installed[0].Name: settings},
		OnEvent: func(ev sdk.Event) { (*l.events.Load())(ev) },
	})
	l.must(err)
	l.must(l.host.Start(l.ctx))
}

func (l *lab) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	l.check(l.host.Stop(ctx))
}

// pair creates an instance of the host and links it to the account.
func (l *lab) pair(name string, account *wasim.Account) error {
	input := fmt.Appendf(nil, `{"instance":%q}`, name)
	if _, err := l.host.Execute(l.ctx, client.Request{Operation: "whatsapp.instance.create@1", Input: input}, nil); err != nil {
		return err
	}
	var scan error
	_, err := l.host.Execute(l.ctx, client.Request{Operation: "whatsapp.instance.connect@1", Input: input}, func(p client.Progress) {
		var data struct{ QR string }
		if p.Stage == "qr" && json.Unmarshal(p.Data, &data) == nil {
			scan = account.Scan(l.ctx, data.QR)
		}
	})
	return errors.Join(err, scan)
}

// bareArm is whatsmeow alone. file names the database of client i, in the lab's directory.
func (l *lab) bareArm(name string, sync bare.Sync, prefix string, m sample, file func(i int) string) *arm {
	a := newArm(name)
	biz := m.stanza.Node.GetChildrenByTag("biz")
	stores := map[string]*bare.Store{}
	var clients []*bare.Client
	var senders []func(ctx context.Context, to *wasim.Account) error
	l.tb.Cleanup(func() {
		for _, c := range clients {
			c.Disconnect()
		}
		for _, s := range stores {
			l.check(s.Close())
		}
	})
	a.grow = func(n int) error {
		began := len(a.accounts)
		for i := began; i < n; i++ {
			account, err := l.sim.NewAccount(fmt.Sprintf("%s%08d", prefix, i))
			if err != nil {
				return err
			}
			a.accounts, clients, senders = append(a.accounts, account), append(clients, nil), append(senders, nil)
			if f := file(i); stores[f] == nil {
				if stores[f], err = bare.Open(l.ctx, l.bareOptions(f, sync)); err != nil {
					return err
				}
			}
		}
		return together(began, n, func(i int) (err error) {
			if clients[i], err = stores[file(i)].Pair(l.ctx, a.accounts[i]); err != nil {
				return err
			}
			if i == 0 {
				clients[i].OnMessage(func(m *bare.Message) {
					if m.Message.GetInteractiveResponseMessage() != nil {
						a.heard()
					}
				})
			}
			own := proto.CloneOf(m.message.Message) // whatsmeow may write to it
			senders[i] = func(ctx context.Context, to *wasim.Account) error {
				_, err := clients[i].Send(ctx, to.JID(), own, biz)
				return err
			}
			return nil
		})
	}
	a.send = func(ctx context.Context, from int, to *wasim.Account) error { return senders[from](ctx, to) }
	return a
}

func (l *lab) bareOptions(file string, sync bare.Sync) bare.Options {
	return bare.Options{File: filepath.Join(l.dir, file), Sync: sync, Server: l.sim.URL(), RootKey: l.sim.RootKey()}
}
