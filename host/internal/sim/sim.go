// Package sim is the WhatsApp that --simulate uses: a wasim server in this
// process, a business account for every instance, and customers' phones.
//
// It guarantees that nothing of a simulated host reaches the real WhatsApp: the
// node gets the simulator's address and root key as settings, and trusts nothing else.
package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// business is the number of the first instance; the next ones count up.
const business = 5511300000000

const connect = "whatsapp.instance.connect@1"

// Execute calls an operation of the node under simulation.
type Execute func(ctx context.Context, r client.Request, progress func(client.Progress)) (client.Result, error)

// Simulation is a running simulator with its phones. Close it.
type Simulation struct {
	server  *wasim.Server
	url     *url.URL
	gallery *gallery
	log     *slog.Logger

	mu       sync.Mutex
	accounts map[string]*wasim.Account // by instance
	phones   map[string]*wasim.Phone   // by number
}

// Start starts the simulator on a free loopback port.
func Start(log *slog.Logger) (*Simulation, error) {
	server, err := wasim.Start(wasim.Options{Logger: log})
	if err != nil {
		return nil, fmt.Errorf("start the WhatsApp simulator: %w", err)
	}
	base, err := url.Parse(server.URL())
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	server.Trust() // the phones live in this process
	pictures, err := openGallery()
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return &Simulation{server: server, url: base, gallery: pictures, log: log, accounts: map[string]*wasim.Account{}, phones: map[string]*wasim.Phone{}}, nil
}

// Close ends the phones and the server.
func (s *Simulation) Close() error { return errors.Join(s.gallery.close(), s.server.Close()) }

// Server is the simulator itself, for faults and records.
func (s *Simulation) Server() *wasim.Server { return s.server }

// Settings lead the node here. Header media may come from loopback, where the
// simulation's own picture is.
func (s *Simulation) Settings() json.RawMessage {
	raw, err := json.Marshal(map[string]any{
		"server": map[string]any{"url": s.server.URL(), "rootKey": s.server.RootKey()},
		"media":  map[string]any{"allowPrivate": true},
		"pacing": map[string]any{"perMinute": 0},
	})
	if err != nil {
		panic(err) // unreachable: strings and numbers marshal
	}
	return raw
}

// Connect creates the instance if it is not there, and connects it; a QR code that
// the node shows is scanned by the instance's simulated phone.
func (s *Simulation) Connect(ctx context.Context, execute Execute, instance string) error {
	input, err := json.Marshal(map[string]string{"instance": instance})
	if err != nil {
		return err
	}
	_, err = execute(ctx, client.Request{Operation: "whatsapp.instance.create@1", Input: input}, nil)
	if p := new(sdk.Problem); err != nil && (!errors.As(err, &p) || p.HTTPStatus != http.StatusConflict) {
		return fmt.Errorf("create instance %s: %w", instance, err)
	}
	account, err := s.account(instance)
	if err != nil {
		return err
	}
	err = s.pair(ctx, execute, account, input)
	if p := new(sdk.Problem); errors.As(err, &p) && p.Code == "logged_out" {
		// It was paired in an earlier simulation, which this server knows nothing of.
		err = s.pair(ctx, execute, account, input)
	}
	if err != nil {
		return fmt.Errorf("connect instance %s: %w", instance, err)
	}
	return nil
}

func (s *Simulation) pair(ctx context.Context, execute Execute, account *wasim.Account, input []byte) error {
	var scan error
	_, err := execute(ctx, client.Request{Operation: connect, Input: input}, func(p client.Progress) {
		var data struct {
			QR string `json:"qr"`
		}
		if p.Stage == "qr" && json.Unmarshal(p.Data, &data) == nil && data.QR != "" {
			scan = account.Scan(ctx, data.QR)
		}
	})
	if err != nil {
		return errors.Join(err, scan)
	}
	return nil
}

func (s *Simulation) account(instance string) (*wasim.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[instance]; a != nil {
		return a, nil
	}
	a, err := s.server.NewAccount(fmt.Sprint(business + len(s.accounts)))
	if err != nil {
		return nil, fmt.Errorf("simulated account for instance %s: %w", instance, err)
	}
	s.accounts[instance] = a
	return a, nil
}

// Phone is the customer with this number; the first call makes it.
func (s *Simulation) Phone(ctx context.Context, number string) (*wasim.Phone, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.phones[number]; p != nil {
		return p, nil
	}
	p, err := s.server.NewPhone(ctx, number)
	if err != nil {
		return nil, fmt.Errorf("simulated phone %s: %w", number, err)
	}
	s.phones[number] = p
	return p, nil
}

// Click waits until a phone of the simulation shows the message, and taps the button
// on it.
func (s *Simulation) Click(ctx context.Context, message, button string) error {
	s.mu.Lock()
	phones := slices.Collect(maps.Values(s.phones))
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	shown := make(chan func() error, len(phones))
	for _, p := range phones {
		go func() {
			m, err := p.Wait(ctx, func(m wasim.Message) bool { return m.ID == message })
			if err == nil {
				shown <- func() error {
					_, err := p.Click(ctx, m, button, wasim.ShapeInteractive)
					return err
				}
			}
		}()
	}
	select {
	case click := <-shown:
		return click()
	case <-ctx.Done():
		return fmt.Errorf("message %s did not come to any of %d simulated phones: %w", message, len(phones), ctx.Err())
	}
}

// Picture is the address of a picture for flows that want one.
func (s *Simulation) Picture() string { return s.gallery.url }

// Control is the simulator's control API, below /sim/v1/. It asks for no token.
func (s *Simulation) Control() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(s.url) },
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // mostly readers that have gone
	}
}

// For says whether a node is one that talks to WhatsApp, and so takes Settings.
func For(m sdk.Manifest) bool {
	return slices.ContainsFunc(m.Operations, func(op sdk.OperationManifest) bool { return op.ID == connect })
}
