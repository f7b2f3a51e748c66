package wasim

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim/internal/faults"
	"github.com/tapnode/tapnode/plugin/wasim/internal/mediastore"
	"github.com/tapnode/tapnode/plugin/wasim/internal/noise"
)

// Server is a running simulator. Its methods are safe for concurrent use.
type Server struct {
	opts     Options
	log      *slog.Logger
	root     *noise.Root
	identity *noise.Identity
	http     *http.Server
	mux      *http.ServeMux
	address  string
	client   *http.Client // reaches this server whatever the URL says
	queries  map[string]queryHandler

	faults  *faults.Set
	media   *mediastore.Store
	record  *recorder
	ids     atomic.Uint64
	dropped atomic.Int64
	pages   atomic.Int64

	id       string // identifies this run of the server
	stirring sync.Mutex
	stirred  chan struct{} // closed at the next change that a watcher sees; nil if nobody waits

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // every goroutine of the server

	mu          sync.RWMutex
	closed      bool
	accounts    map[string]*Account    // by every number it answers to
	lids        map[string]*Account    // by the user part of its LID
	waiting     map[string]*conn       // clients that show a QR code, by its reference
	codes       map[*conn]*codePairing // clients that show a link code
	conns       map[*conn]struct{}     // all connections
	phones      map[*Phone]struct{}    // to be closed with the server
	groups      map[string]*Group      // by the user part of the group's JID
	newsletters map[string]*Newsletter // by the user part of the newsletter's JID
}

// ErrClosed means that the server is closed.
var ErrClosed = errors.New("simulator is closed")

// Start listens and serves until Close.
func Start(opts Options) (*Server, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	root := theRoot()
	identity, err := root.Issue()
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{
		opts: opts, log: opts.Logger, root: root, identity: identity,
		mux: http.NewServeMux(), address: listener.Addr().String(),
		faults: faults.NewSet(maxFaults), media: mediastore.New(mediastore.Options{}), record: newRecorder(opts.Limits),
		accounts: make(map[string]*Account), lids: make(map[string]*Account), waiting: make(map[string]*conn),
		codes: make(map[*conn]*codePairing), conns: make(map[*conn]struct{}), phones: make(map[*Phone]struct{}), groups: make(map[string]*Group),
		newsletters: make(map[string]*Newsletter), id: rand.Text(),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.client = clientFor(s.address)
	s.queries = s.queryHandlers()
	s.mux.HandleFunc("GET /ws/chat", s.accept)
	s.mux.HandleFunc("GET /{$}", s.page)
	s.mux.Handle("/", s.mediaHandler())
	s.mux.Handle(ControlPath, s.controlHandler())
	s.http = &http.Server{
		Handler:           s.mux,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
	}
	s.work.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("simulator stopped listening", "err", err)
		}
	})
	return s, nil
}

// URL is the server's address in the form that the node's setting server.url takes.
func (s *Server) URL() string { return "http://" + s.address }

// RootKey is the public key that clients must trust, as 64 hex digits, for the node's setting server.rootKey.
func (s *Server) RootKey() string {
	key := s.root.Public()
	return hex.EncodeToString(key[:])
}

// Lost is the number of stanzas dropped because a queue was full (Limits.Queue).
func (s *Server) Lost() int64 { return s.dropped.Load() }

// Close disconnects every client, closes every Phone and waits for all goroutines. A second call does nothing.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	var closing sync.WaitGroup
	for p := range s.phones {
		closing.Go(p.stop)
	}
	s.mu.Unlock()
	closing.Wait()
	s.cancel()
	err := s.http.Close()
	s.work.Wait()
	s.client.CloseIdleConnections()
	if err != nil {
		return fmt.Errorf("close simulator: %w", err)
	}
	return nil
}

// run starts a goroutine that Close waits for; it reports false, and starts nothing, once the server is closed.
func (s *Server) run(f func()) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return false
	}
	s.work.Go(f)
	return true
}

// later runs f after d, unless the server closes before.
func (s *Server) later(d time.Duration, f func()) {
	if d <= 0 {
		f()
		return
	}
	s.run(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			f()
		case <-s.ctx.Done():
		}
	})
}
