package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"time"

	"github.com/tapnode/tapnode/host/internal/app"
	"github.com/tapnode/tapnode/host/internal/sim"
	"github.com/tapnode/tapnode/sdk"
)

// hostFlags are the flags of every command that starts nodes.
type hostFlags struct {
	nodes, data  *string
	settings     *string
	simulate     *bool
	verbose      *bool
	allowPrivate *bool
}

func addHostFlags(fs *flag.FlagSet) hostFlags {
	return hostFlags{
		nodes:        nodesFlag(fs),
		data:         dataFlag(fs),
		settings:     fs.String("settings", "", "JSON `FILE` with the settings of each node: {\"<node name>\": {…}}"),
		simulate:     fs.Bool("simulate", false, "use a simulated WhatsApp and simulated phones; without --data everything is thrown away at the end"),
		verbose:      fs.Bool("v", false, "log debug messages"),
		allowPrivate: fs.Bool("allow-private", false, "let http.request reach loopback and private addresses"),
	}
}

// host is a started app, with its simulation if there is one.
type host struct {
	*app.App
	sim     *sim.Simulation // nil: the real WhatsApp
	log     *slog.Logger
	dataDir string
	discard string // temporary data directory to remove at the end
}

// openHost prepares the app and the simulation; nothing runs yet.
func openHost(ctx context.Context, c console, fs *flag.FlagSet, f hostFlags, onEvent func(sdk.Event)) (_ *host, err error) {
	level := slog.LevelWarn
	switch {
	case *f.verbose:
		level = slog.LevelDebug
	case *f.simulate:
		// The node warns at length that it is simulated, which is what was asked for.
		level = slog.LevelError
		fmt.Fprintln(c.err, "WhatsApp is simulated: nothing leaves this machine")
	}
	h := &host{log: slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: level})), dataDir: *f.data}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.release())
		}
	}()
	settings, err := readSettings(*f.settings)
	if err != nil {
		return nil, err
	}
	if *f.simulate && !given(fs, "data") {
		if h.discard, err = os.MkdirTemp("", "tapnode-"); err != nil {
			return nil, environment(err)
		}
		h.dataDir = h.discard
	}
	installed, err := installation(ctx, *f.nodes, h.dataDir)
	if err != nil {
		return nil, err
	}
	if *f.simulate {
		if h.sim, err = sim.Start(h.log); err != nil {
			return nil, environment(err)
		}
		for _, node := range installed {
			if settings[node.Name], err = merge(settings[node.Name], h.sim.Settings()); err != nil {
				return nil, invalid("%s: /%s: %w", *f.settings, node.Name, err)
			}
		}
	}
	h.App, err = app.Open(app.Options{
		Nodes: installed, DataDir: h.dataDir, Settings: settings, Logger: h.log,
		AllowPrivate: *f.allowPrivate || *f.simulate, OnEvent: onEvent,
	})
	if err != nil {
		return nil, environment(err)
	}
	return h, nil
}

// start starts the nodes; with a simulation it then connects the instances and makes
// the phones that the flows name.
func (h *host) start(ctx context.Context, cast ...cast) error {
	if err := h.Start(ctx); err != nil {
		return environment(err)
	}
	if h.sim == nil {
		return nil
	}
	for _, c := range cast {
		for _, name := range c.instances {
			if err := h.sim.Connect(ctx, h.Execute, name); err != nil {
				return environment(errors.Join(err, h.Stop(ctx)))
			}
		}
		for _, number := range c.phones {
			if _, err := h.sim.Phone(ctx, number); err != nil {
				return environment(errors.Join(err, h.Stop(ctx)))
			}
		}
	}
	return nil
}

// stop ends everything within 15 s.
func (h *host) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	return errors.Join(h.Stop(ctx), h.release())
}

func (h *host) release() error {
	var errs []error
	if h.sim != nil {
		errs = append(errs, h.sim.Close())
	}
	if h.discard != "" {
		errs = append(errs, os.RemoveAll(h.discard))
	}
	return errors.Join(errs...)
}

func readSettings(path string) (map[string]json.RawMessage, error) {
	settings := map[string]json.RawMessage{}
	if path == "" {
		return settings, nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, &exit{exitInvalid, err}
	}
	if err := json.Unmarshal(raw, &settings); err != nil {
		return nil, invalid("%s: want a JSON object with the settings of each node by its name: %w", path, err)
	}
	return settings, nil
}

// merge lays the members of over on those of base, one object deep.
func merge(base, over json.RawMessage) (json.RawMessage, error) {
	out := map[string]map[string]any{}
	for _, doc := range []json.RawMessage{base, over} {
		if len(doc) == 0 {
			continue
		}
		var members map[string]map[string]any
		if err := json.Unmarshal(doc, &members); err != nil {
			return nil, fmt.Errorf("want an object of objects: %w", err)
		}
		for name, values := range members {
			if out[name] == nil {
				out[name] = map[string]any{}
			}
			maps.Copy(out[name], values)
		}
	}
	return json.Marshal(out)
}

func given(fs *flag.FlagSet, name string) bool {
	found := false
	fs.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}
