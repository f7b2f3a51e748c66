package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/plugin/wasim/bare"
)

// fleet is an arm that consists of whatsmeow alone.
type fleet struct {
	*arm
	lab    *lab
	sync   bare.Sync
	prefix string             // of its accounts' numbers
	file   func(i int) string // the database of client i, in the lab's directory, or a Postgres URL

	message proto.Message // the menu; clients send copies of it

	stores  map[string]*bare.Store
	clients map[string]*bare.Client // by number
}

func (l *lab) bareArm(name string, sync bare.Sync, prefix string, m sample, file func(i int) string) *fleet {
	f := &fleet{arm: newArm(name), lab: l, sync: sync, prefix: prefix, file: file, message: m.message.Message}
	l.tb.Cleanup(func() { l.check(f.close()) })
	biz := m.stanza.Node.GetChildrenByTag("biz")
	f.grow = f.pair
	f.send = func(ctx context.Context, from int, to *wasim.Account) error {
		_, err := f.client(from).Send(ctx, to.JID(), proto.CloneOf(m.message.Message), biz) // whatsmeow may modify it
		return err
	}
	f.greet = func(ctx context.Context, from int, to *wasim.Account) error {
		_, err := f.client(from).Greet(ctx, to.Phone(), proto.CloneOf(m.message.Message), biz)
		return err
	}
	return f
}

func (f *fleet) client(i int) *bare.Client { return f.clients[f.accounts[i].Phone()] }

// pair adds clients, then connects all of them. It pairs with synchronous=OFF, because whatsmeow
// commits each of the 812 keys of a new device separately, and connects with the arm's own setting.
func (f *fleet) pair(n int) error {
	began := len(f.accounts)
	if n <= began {
		return nil
	}
	for i := began; i < n; i++ {
		account, err := f.lab.sim.NewAccount(fmt.Sprintf("%s%08d", f.prefix, i))
		if err != nil {
			return err
		}
		f.accounts = append(f.accounts, account)
	}
	if err := errors.Join(f.close(), f.open(bare.Off)); err != nil {
		return err
	}
	err := together(began, n, func(i int) error {
		c, err := f.stores[f.file(i)].Pair(f.lab.ctx, f.accounts[i])
		if err == nil {
			c.Disconnect()
		}
		return err
	})
	if err := errors.Join(err, f.close(), f.open(f.sync)); err != nil {
		return err
	}
	return f.connect()
}

// open opens the databases of all accounts.
func (f *fleet) open(sync bare.Sync) error {
	f.stores, f.clients = map[string]*bare.Store{}, map[string]*bare.Client{}
	for i := range f.accounts {
		name := f.file(i)
		if f.stores[name] != nil {
			continue
		}
		store, err := bare.Open(f.lab.ctx, f.options(name, sync))
		if err != nil {
			return err
		}
		f.stores[name] = store
	}
	return nil
}

func (f *fleet) options(file string, sync bare.Sync) bare.Options {
	if strings.HasPrefix(file, "postgres:") {
		return bare.Options{Postgres: file, Server: f.lab.sim.URL(), RootKey: f.lab.sim.RootKey()}
	}
	return bare.Options{
		File: filepath.Join(f.lab.dir, file), Sync: sync, Server: f.lab.sim.URL(), RootKey: f.lab.sim.RootKey(),
	}
}

func (f *fleet) connect() error {
	for _, s := range f.stores {
		clients, err := s.Clients(f.lab.ctx)
		if err != nil {
			return err
		}
		for _, c := range clients {
			f.clients[c.Number()] = c
		}
	}
	f.client(0).OnMessage(func(m *bare.Message) {
		if m.Message.GetInteractiveResponseMessage() != nil {
			f.heard()
		}
	})
	return together(0, len(f.accounts), func(i int) error { return f.client(i).Connect(f.lab.ctx) })
}

func (f *fleet) close() error {
	for _, c := range f.clients {
		c.Disconnect()
	}
	var errs []error
	for _, s := range f.stores {
		errs = append(errs, s.Close())
	}
	f.stores, f.clients = nil, nil
	return errors.Join(errs...)
}
