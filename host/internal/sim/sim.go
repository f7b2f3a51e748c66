// Package sim is the WhatsApp of a simulated host: a wasim server, in this process for
// --simulate or in another one for --simulator, with a business account for every instance,
// and customers' phones.
//
// Wherever the server runs, the package uses only its control API, which a person can also
// use with curl.
//
// It guarantees that nothing from a simulated host reaches the real WhatsApp: the node
// gets the simulator's address and root key as settings, and trusts nothing else.
package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
)

// Simulation is a simulator and the people on it. The caller must close it.
type Simulation struct {
	server  *wasim.Server // nil: it runs elsewhere
	address string        // as the node's setting server.url wants it
	rootKey string
	control *control
	gallery *gallery
	log     *slog.Logger

	mu        sync.Mutex
	instances map[string]string // phone numbers by instance
	people    int               // number of names given out
}

// Start starts a simulator in this process, on a free loopback port.
func Start(log *slog.Logger) (*Simulation, error) {
	server, err := wasim.Start(wasim.Options{Logger: log})
	if err != nil {
		return nil, fmt.Errorf("start the WhatsApp simulator: %w", err)
	}
	server.Trust() // the phones live in this process
	s, err := open(server.URL(), log)
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	s.server, s.address, s.rootKey = server, server.URL(), server.RootKey()
	return s, nil
}

// Join uses the simulator at an address such as http://127.0.0.1:8090, which "tapnode
// simulate" or another host runs.
func Join(ctx context.Context, address string, log *slog.Logger) (*Simulation, error) {
	s, err := open(address, log)
	if err != nil {
		return nil, err
	}
	var state struct{ URL, RootKey string }
	if err = s.control.call(ctx, "state", nil, &state); err == nil && state.RootKey == "" {
		err = fmt.Errorf("%s is not a WhatsApp simulator that says its root key", address)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.address, s.rootKey = state.URL, state.RootKey
	return s, nil
}

func open(address string, log *slog.Logger) (*Simulation, error) {
	base, err := url.Parse(address)
	if err != nil || base.Scheme != "http" || base.Host == "" {
		return nil, fmt.Errorf("%.80q is not the address of a simulator, such as http://127.0.0.1:8090", address)
	}
	pictures, err := openGallery()
	if err != nil {
		return nil, err
	}
	return &Simulation{control: newControl(base), gallery: pictures, log: log, instances: map[string]string{}}, nil
}

// Close ends what Start started.
func (s *Simulation) Close() error {
	s.control.close()
	err := s.gallery.close()
	if s.server != nil {
		err = errors.Join(err, s.server.Close())
	}
	return err
}

// Server is the simulator itself, to inject faults and read records; nil after Join.
func (s *Simulation) Server() *wasim.Server { return s.server }

// Settings are the node's settings to use this simulator. They allow header media from
// loopback, where the simulation's own picture is.
func (s *Simulation) Settings() json.RawMessage {
	raw, err := json.Marshal(map[string]any{
		"server": map[string]any{"url": s.address, "rootKey": s.rootKey},
		"media":  map[string]any{"allowPrivate": true},
		"pacing": map[string]any{"perMinute": 0},
	})
	if err != nil {
		panic(err) // unreachable: strings and numbers marshal
	}
	return raw
}

// Picture is the address of a picture for flows that need one.
func (s *Simulation) Picture() string { return s.gallery.url }

// Control serves the simulator's control API, below /sim/v1/, and the picture, which a page of the
// host can load from no other address. It requires no token.
func (s *Simulation) Control() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+wasim.ControlPath+"picture.png", s.gallery.http.Handler)
	mux.Handle("/", s.proxy())
	return mux
}

func (s *Simulation) proxy() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(s.control.base)
			r.Out.Host = r.In.Host // so that the commands in its responses have the address that the client used
		},
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // mostly clients that have disconnected
	}
}

// For reports whether a node talks to WhatsApp, and so accepts Settings.
func For(m sdk.Manifest) bool {
	return slices.ContainsFunc(m.Operations, func(op sdk.OperationManifest) bool { return op.ID == connect })
}
