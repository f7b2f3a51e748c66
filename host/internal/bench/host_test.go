package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tapnode/tapnode/host/internal/app"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// hostArm is the product: the app with the node binary as a child process, over gRPC with mutual TLS.
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
	a.greet = a.send // the node looks up every number
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

// start starts a host on the data directory of the previous one.
func (l *lab) start() {
	l.tb.Helper()
	all := map[string]any{
		"server": map[string]any{"url": l.sim.URL(), "rootKey": l.sim.RootKey()},
		"pacing": map[string]any{"perMinute": l.perMinute},
		"media":  map[string]any{"allowPrivate": true}, // pictures are served by this process
	}
	if l.postgres != "" {
		all["store"] = map[string]any{"dsn": l.postgres}
	}
	settings, err := json.Marshal(all)
	l.must(err)
	l.host, err = app.Open(app.Options{
		Nodes: installed, DataDir: l.data, Log: l.runs, Settings: map[string]json.RawMessage{installed[0].Name: settings},
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
