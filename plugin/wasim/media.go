package wasim

import (
	"net/http"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim/internal/mediastore"
)

// MediaStats are the counters of the media host.
type MediaStats = mediastore.Stats

// Media returns the counters of the media host.
func (s *Server) Media() MediaStats { return s.media.Stats() }

// Uploads returns how often a blob was uploaded. The blob is identified by the SHA-256 of the bytes on the wire:
// whatsmeow's FileEncSHA256, or FileSHA256 for a channel.
func (s *Server) Uploads(sha256 [32]byte) int { return s.media.Uploads(sha256) }

// mediaHandler is the media host behind the faults of its stage.
func (s *Server) mediaHandler() http.Handler {
	kinds := map[string]string{http.MethodPost: "upload", http.MethodGet: "download", http.MethodDelete: "delete"}
	return s.tracked(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := s.fault(FaultEvent{Stage: StageMedia, Type: kinds[r.Method]})
		if f == (Fault{}) {
			s.media.ServeHTTP(w, r)
			return
		}
		if f.Delay > 0 {
			timer := time.NewTimer(time.Duration(f.Delay))
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-r.Context().Done():
				return
			}
		}
		switch {
		case f.Disconnect == Before:
			panic(http.ErrAbortHandler) // makes net/http cut the connection
		case f.HTTPStatus != 0:
			http.Error(w, "refused by a fault rule", f.HTTPStatus)
		case f.Corrupt:
			s.media.ServeHTTP(&flipping{ResponseWriter: w}, r)
		default:
			s.media.ServeHTTP(w, r)
		}
		if f.Disconnect == After {
			panic(http.ErrAbortHandler)
		}
	}))
}

// requestTimeout bounds how long a request may take to arrive.
const requestTimeout = 5 * time.Minute

// flipping changes one bit of the answer.
type flipping struct {
	http.ResponseWriter
	done bool
}

func (f *flipping) Write(data []byte) (int, error) {
	if !f.done && len(data) > 0 {
		f.done = true
		changed := append([]byte{data[0] ^ 1}, data[1:]...)
		return f.ResponseWriter.Write(changed)
	}
	return f.ResponseWriter.Write(data)
}

// tracked gives each request of a handler a deadline, and makes Close wait for it.
func (s *Server) tracked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.RLock()
		if s.closed {
			s.mu.RUnlock()
			http.Error(w, ErrClosed.Error(), http.StatusServiceUnavailable)
			return
		}
		s.work.Add(1)
		s.mu.RUnlock()
		defer s.work.Done()
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(requestTimeout)); err != nil {
			s.log.Warn("request without a deadline", "err", err)
		}
		next.ServeHTTP(w, r)
	})
}
