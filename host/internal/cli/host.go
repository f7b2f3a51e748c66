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
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/host/internal/answers"
	"github.com/tapnode/tapnode/host/internal/api"
	"github.com/tapnode/tapnode/host/internal/app"
	"github.com/tapnode/tapnode/host/internal/config"
	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/metrics"
	"github.com/tapnode/tapnode/host/internal/seed"
	"github.com/tapnode/tapnode/host/internal/sim"
	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/internal/tracing"
	"github.com/tapnode/tapnode/sdk"
)

// hostFlags are the flags of every command that starts nodes.
type hostFlags struct {
	nodes, data  *string
	settings     *string
	simulate     *bool
	simulator    *string
	verbose      *bool
	allowPrivate *bool
}

func addHostFlags(fs *flag.FlagSet) hostFlags {
	return hostFlags{
		nodes:        nodesFlag(fs),
		data:         dataFlag(fs),
		settings:     fs.String("settings", "", "JSON `FILE` with the settings of each node, secrets included: {\"<node name>\": {…}}"),
		simulate:     fs.Bool("simulate", false, "use a simulated WhatsApp and simulated phones; without --data everything is thrown away at the end"),
		simulator:    fs.String("simulator", "", "use the simulated WhatsApp at this `URL`, which tapnode simulate runs; otherwise like --simulate"),
		verbose:      fs.Bool("v", false, "log debug messages"),
		allowPrivate: fs.Bool("allow-private", false, "let http.request reach loopback and private addresses"),
	}
}

// simulated reports whether WhatsApp is simulated.
func (f hostFlags) simulated() bool { return *f.simulate || *f.simulator != "" }

// simulation starts a simulation, or joins the one at the URL in the flags.
func (f hostFlags) simulation(ctx context.Context, log *slog.Logger) (*sim.Simulation, error) {
	if *f.simulator != "" {
		return sim.Join(ctx, *f.simulator, log)
	}
	return sim.Start(log)
}

// host is a started app, with its simulation if there is one.
type host struct {
	*app.App
	sim     *sim.Simulation // nil: the real WhatsApp
	log     *slog.Logger
	dataDir string
	secret  []byte                      // of the server; nil if runs is nil
	claim   *flock.Flock                // keeps other hosts out of dataDir
	discard string                      // temporary data directory to remove at the end
	runs    *sqllog.Log                 // nil: runs end with the process
	untrace func(context.Context) error // nil if runs is nil
	metrics *metrics.Metrics            // nil if runs is nil
	seed    *seed.API                   // nil unless it serves
	access  *access.Access              // nil unless it serves
	answers *answers.Store              // nil if runs is nil
	events  *events.Service             // nil unless it serves
	patient bool                        // see hostUse
}

// durable says where the runs of a host are stored so that they outlive it: in the data directory
// or, with this connection string, in a Postgres database.
type durable struct {
	postgres string
	limits   sqllog.Limits
}

// peerAddresses are the addresses at which other hosts on the database call this one.
type peerAddresses struct{ listen, address string }

// hostUse is what a command needs of its host.
type hostUse struct {
	keep      *durable         // nil: runs end with the process
	peers     *peerAddresses   // nil: it shares no work with the other hosts on its database
	tells     func() bool      // see app.Options; may be nil
	onHealth  func(sdk.Health) // see app.Options; may be nil
	flowLevel slog.Level       // the lowest level at which messages of flows are logged
	patient   bool             // keep working when a node does not start
}

// openHost prepares the app and the simulation; nothing runs yet.
func openHost(ctx context.Context, c console, fs *flag.FlagSet, f hostFlags, use hostUse) (_ *host, err error) {
	level := slog.LevelWarn
	switch {
	case *f.verbose:
		level = slog.LevelDebug
	case f.simulated():
		// The node logs long warnings that it is simulated, as the user asked.
		level = slog.LevelError
		fmt.Fprintln(c.err, "WhatsApp is simulated: nothing leaves this machine")
	}
	h := &host{patient: use.patient, log: slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: level})), dataDir: *f.data}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.release())
		}
	}()
	settings, err := readSettings(*f.settings)
	if err != nil {
		return nil, err
	}
	if f.simulated() && !given(fs, "data") {
		if h.discard, err = os.MkdirTemp("", "tapnode-"); err != nil {
			return nil, environment(err)
		}
		h.dataDir = h.discard
	}
	if h.claim, err = app.Claim(h.dataDir); err != nil {
		return nil, environment(err)
	}
	if err := app.PinWorld(h.dataDir, f.simulated()); err != nil {
		return nil, environment(err)
	}
	installed, err := installation(ctx, *f.nodes, h.dataDir)
	if err != nil {
		return nil, err
	}
	if err := known(*f.settings, settings, installed); err != nil {
		return nil, err
	}
	warnIfOpen(c, *f.settings)
	if f.simulated() {
		if h.sim, err = f.simulation(ctx, h.log); err != nil {
			return nil, environment(err)
		}
		for _, node := range installed {
			if !sim.For(node.Manifest) {
				continue
			}
			if settings[node.Name], err = merge(settings[node.Name], h.sim.Settings()); err != nil {
				return nil, invalid("%s: /%s: %w", *f.settings, node.Name, err)
			}
		}
	}
	opt := app.Options{
		Nodes: installed, DataDir: h.dataDir, Settings: settings, Logger: h.log,
		FlowLog:      slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: min(level, use.flowLevel)})),
		AllowPrivate: *f.allowPrivate || f.simulated(), OnHealth: use.onHealth, Tells: use.tells,
	}
	if use.keep != nil {
		if err := h.openRuns(ctx, *use.keep); err != nil {
			return nil, err
		}
		h.untrace, opt.Traced, err = tracing.Start(ctx, "tapnode")
		if err != nil {
			return nil, environment(err)
		}
		h.metrics = metrics.New()
		if use.peers != nil && use.keep.postgres != "" {
			opt.Cluster = &app.Cluster{DB: h.runs.DB(), Secret: h.secret, Version: sdk.Version, Listen: use.peers.listen, Address: use.peers.address}
		}
		opt.Log, opt.Storage, opt.Called = h.metrics.Log(h.runs), h.runs.Storage, h.metrics.Call
		opt.Tell = func(ctx context.Context, ev sdk.Event) func() error { return h.runs.Tell(ctx, events.FromNode(ev)...) }
	}
	h.App, err = app.Open(opt)
	if err != nil {
		return nil, environment(err)
	}
	if h.metrics != nil {
		h.metrics.Watch(h.Ready, h.runs.Counts)
	}
	return h, nil
}

// openRuns opens the database of the engine and lets it remove what is old.
func (h *host) openRuns(ctx context.Context, where durable) (err error) {
	h.runs, err = sqllog.Open(ctx, sqllog.Options{Dir: h.dataDir, Postgres: where.postgres, Limits: where.limits, Logger: h.log})
	if err != nil {
		h.log.Debug("open the database of the runs", "err", err)
		if !errors.Is(err, sqllog.ErrInUse) {
			err = errors.New(sqldb.Reason(err)) // which reveals no user and no host
		}
		return environment(fmt.Errorf("the database of the runs: %w", err))
	}
	if h.secret, err = seed.Secret(h.dataDir); err == nil && where.postgres != "" {
		h.secret, err = seed.Shared(ctx, h.runs.DB(), h.secret)
	}
	if err != nil {
		return environment(err)
	}
	h.runs.Start()
	h.answers = answers.New(h.runs.DB(), nil, h.log)
	h.answers.Start()
	return nil
}

// start starts the nodes. In a simulation it then gathers the cast: the instances and people that
// the flows name and those that the user asked for. After an error, stop ends what was started.
func (h *host) start(ctx context.Context, c console, named, asked cast) (there cast, err error) {
	err = h.Start(ctx)
	if h.patient && errors.Is(err, app.ErrNode) && ctx.Err() == nil {
		fmt.Fprintf(c.err, "warning: %s; serving without it, see /readyz\n", printable(err.Error()))
		err = nil
	}
	if err != nil {
		return cast{}, environment(err)
	}
	if h.sim == nil {
		return cast{}, nil
	}
	return h.gather(ctx, c, named, asked)
}

const (
	// stopTime is how long everything may take to end. Process managers kill after 10 s.
	stopTime = 9 * time.Second
	// callTime is how much of stopTime calls over HTTP and calls of flows may take to finish.
	callTime = 5 * time.Second
	// traceTime is how long the last traces may take to reach their collector.
	traceTime = time.Second
)

// stop ends everything within stopTime. First, at the same time: no new connection is accepted,
// streams end, and calls over HTTP finish; no new event or task is taken, and calls of flows
// finish. Then it stops the nodes, which have no more work, and last it closes the databases.
// server may be nil. Calls that are cut off are made again, under the same keys, by the next host.
func (h *host) stop(server *api.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	calls, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var drains sync.WaitGroup
	if server != nil {
		drains.Go(func() {
			if err := server.Stop(calls); err != nil {
				h.log.Warn("stop http", "err", err)
			}
		})
	}
	if h.seed != nil {
		drains.Go(func() {
			if err := h.seed.Stop(calls); err != nil {
				h.log.Warn("stop pairings", "err", err)
			}
		})
	}
	if h.events != nil {
		drains.Go(func() {
			if err := h.events.Stop(calls); err != nil {
				h.log.Warn("stop webhooks", "err", err)
			}
		})
	}
	if err := h.Drain(calls); err != nil {
		h.log.Warn("calls of flows were cut; the next host makes them again", "err", err)
	}
	drains.Wait()
	if h.access != nil { // no more calls arrive
		if err := h.access.Stop(ctx); err != nil {
			h.log.Warn("what is left of the limits could not be stored", "err", err)
		}
	}
	return errors.Join(h.Stop(ctx), h.release())
}

func (h *host) release() error {
	var errs []error
	if h.untrace != nil {
		ctx, cancel := context.WithTimeout(context.Background(), traceTime)
		defer cancel()
		if err := h.untrace(ctx); err != nil {
			h.log.Warn("the last traces were lost", "err", err)
		}
	}
	if h.answers != nil {
		h.answers.Stop()
	}
	if h.runs != nil {
		errs = append(errs, h.runs.Close())
	}
	if h.sim != nil {
		errs = append(errs, h.sim.Close())
	}
	if h.discard != "" {
		errs = append(errs, os.RemoveAll(h.discard))
	}
	if h.claim != nil {
		errs = append(errs, h.claim.Close())
	}
	return errors.Join(errs...)
}

// warnIfOpen warns if others on this machine can read or change a file that holds secrets.
func warnIfOpen(c console, path string) {
	if path == "" {
		return
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o066 != 0 {
		fmt.Fprintf(c.err, "warning: others on this machine can read or change %s (mode %04o), and secrets are in it: chmod 600 it\n", printable(path), info.Mode().Perm())
	}
}

// known refuses settings for a node that is not installed, since a typo would go unnoticed.
func known(path string, settings map[string]json.RawMessage, installed []app.Installed) error {
	var names []string
	for _, node := range installed {
		names = append(names, node.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if !slices.Contains(names, name) {
			return invalid("%s: there is no node %.80q: %s", path, name, flow.DidYouMean(name, names))
		}
	}
	return nil
}

// merge overwrites the members of base with those of over. An object in both is merged, too, but
// not the objects within it.
func merge(base, over json.RawMessage) (json.RawMessage, error) {
	var out, add map[string]any
	if len(base) > 0 {
		if err := json.Unmarshal(base, &out); err != nil {
			return nil, fmt.Errorf("want an object: %w", err)
		}
	}
	if err := json.Unmarshal(over, &add); err != nil {
		return nil, err
	}
	if out == nil {
		return over, nil
	}
	for name, value := range add {
		below, isObject := out[name].(map[string]any)
		if members, ok := value.(map[string]any); ok && isObject {
			maps.Copy(below, members)
		} else {
			out[name] = value
		}
	}
	return json.Marshal(out)
}

func given(fs *flag.FlagSet, name string) bool {
	found := false
	fs.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// openSeed prepares the part of the API that the host answers itself, and the webhooks.
func (h *host) openSeed(private bool) {
	h.events = events.New(events.Options{DB: h.runs.DB(), Told: h.runs.Told, Secret: h.secret, Private: private, Logger: h.log,
		Token: func(ctx context.Context, instance string) (string, error) { return h.seed.Token(ctx, instance) }})
	h.seed = seed.New(seed.Options{DB: h.runs.DB(), Secret: h.secret, Call: h.Execute, Hooks: h.events})
}

// stateTime bounds the storing of an instance's state.
const stateTime = 15 * time.Second

// tellState stores the state of an instance in the outbox.
func (h *host) tellState(ev engine.Outgoing) error {
	ctx, cancel := context.WithTimeout(context.Background(), stateTime)
	defer cancel()
	return h.runs.Tell(ctx, ev)()
}

// dataFlag adds --data, the host's own directory.
func dataFlag(fs *flag.FlagSet) *string {
	dir := os.Getenv(config.EnvName("data"))
	if state, err := os.UserConfigDir(); dir == "" && err == nil {
		dir = filepath.Join(state, "tapnode")
	} else if dir == "" {
		dir = "tapnode-data"
	}
	return fs.String("data", dir, "`DIR` the host keeps everything in, made with mode 0700")
}

func makeData(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return environment(fmt.Errorf("data directory %s: %w; choose another with --data", dir, err))
	}
	return nil
}

// openAccess opens the tokens of the host, imports those that an earlier host kept in a file, and
// adds the account token that was given.
func (h *host) openAccess(ctx context.Context, given string) error {
	var err error
	if h.access, err = access.Open(ctx, access.Options{DB: h.runs.DB(), Logger: h.log}); err != nil {
		return environment(errors.New("the tokens: " + sqldb.Reason(err)))
	}
	if err := h.access.Import(ctx, filepath.Join(h.dataDir, "tokens.json")); err != nil {
		return environment(err)
	}
	if given != "" {
		if err := h.access.Give(given); err != nil {
			return invalid("%w", err)
		}
	}
	h.access.Start()
	return nil
}
