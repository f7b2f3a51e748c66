package front

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// lookEvery is how often the files are checked, at most, when clients connect.
const lookEvery = time.Second

// pair is a certificate and its key, loaded from files.
type pair struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	seen   [2]os.FileInfo // the files as last loaded, or as loading them last failed
	looked time.Time
}

func loadPair(certFile, keyFile string, log *slog.Logger) (*pair, error) {
	p := &pair{certFile: certFile, keyFile: keyFile, log: log}
	seen, err := p.look()
	if err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return p, p.load(seen)
}

// get implements tls.Config.GetCertificate.
func (p *pair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.looked) < lookEvery {
		return p.loaded, nil
	}
	seen, err := p.look()
	if err != nil { // a file is being replaced, or was removed
		return p.loaded, nil
	}
	if !same(seen[0], p.seen[0]) || !same(seen[1], p.seen[1]) {
		if err := p.load(seen); err != nil {
			p.log.Warn("the certificate on the disk cannot be used; the one before goes on", "err", err)
		} else {
			p.log.Info("the certificate was reloaded", "file", p.certFile)
		}
	}
	return p.loaded, nil
}

func (p *pair) look() (seen [2]os.FileInfo, err error) {
	p.looked = time.Now()
	for i, name := range []string{p.certFile, p.keyFile} {
		if seen[i], err = os.Stat(name); err != nil {
			return seen, err
		}
	}
	return seen, nil
}

// load reads the files. If that fails, they are read again only when one of them changes, since a program
// that replaces both does so one after the other.
func (p *pair) load(seen [2]os.FileInfo) error {
	p.seen = seen
	loaded, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		return fmt.Errorf("TLS with %s and %s: %w", p.certFile, p.keyFile, err)
	}
	p.loaded = &loaded
	return nil
}

func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
