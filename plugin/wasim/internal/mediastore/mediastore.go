// Package mediastore is the simulated server's media host: it takes the encrypted blobs that clients upload, under
// the paths and with the answers whatsmeow's upload.go and download.go expect, and gives them back.
//
//	POST   /mms/{type}/{token}?auth=…          an encrypted blob; token is base64url of its SHA-256
//	POST   /newsletter/newsletter-{type}/{token}?auth=…   a blob in the clear, for channels
//	DELETE /mms/{type}/{token}?auth=…          forget it
//	GET    /v/{type}/{name}?…                  the direct_path of the upload's answer, ranges included
//
// Blobs live in memory. Their sum, uploads under way included, never exceeds Options.MaxBytes: the blob that was used
// longest ago makes room, and an upload for which there is none is refused with 507.
package mediastore

import (
	"bytes"
	"container/list"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// Options bound a Store. Zero members take the defaults.
type Options struct {
	MaxBytes int64 // all blobs together; default 256 MiB
	MaxBlob  int64 // one blob; default 128 MiB
}

// Hash is the SHA-256 of a blob as it was uploaded, so of the ciphertext, except for channels.
type Hash = [sha256.Size]byte

// Stats counts what happened since the store was made.
type Stats struct {
	Blobs     int   `json:"blobs"`
	Bytes     int64 `json:"bytes"`
	Uploads   int64 `json:"uploads"`
	Uploaded  int64 `json:"uploaded"` // bytes of all uploads
	Downloads int64 `json:"downloads"`
	Evicted   int64 `json:"evicted"`
	Refused   int64 `json:"refused"`
}

// Store is the media host. It is an http.Handler and safe for concurrent use.
type Store struct {
	opts Options
	auth string
	mux  *http.ServeMux

	mu     sync.Mutex
	blobs  map[Hash]*list.Element
	recent *list.List // of *blob, most recently used first
	used   int64      // bytes of blobs and of uploads under way
	stats  Stats
}

type blob struct {
	hash    Hash
	data    []byte
	at      time.Time
	uploads int
}

// New creates an empty store with a new upload credential.
func New(opts Options) *Store {
	if opts.MaxBytes == 0 {
		opts.MaxBytes = 256 << 20
	}
	if opts.MaxBlob == 0 {
		opts.MaxBlob = 128 << 20
	}
	s := &Store{opts: opts, auth: rand.Text(), mux: http.NewServeMux(), blobs: make(map[Hash]*list.Element), recent: list.New()}
	s.mux.HandleFunc("POST /mms/{type}/{token}", s.upload)
	s.mux.HandleFunc("POST /newsletter/{type}/{token}", s.upload)
	s.mux.HandleFunc("DELETE /mms/{type}/{token}", s.delete)
	s.mux.HandleFunc("GET /v/{type}/{name}", s.download)
	return s
}

// ServeHTTP implements http.Handler.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Uploads returns how often a blob was uploaded, unless it has been evicted or deleted.
func (s *Store) Uploads(h Hash) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.blobs[h]; ok {
		return e.Value.(*blob).uploads
	}
	return 0
}

// Stats returns the counters.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Blobs, st.Bytes = len(s.blobs), s.used
	return st
}

// answer is what whatsmeow decodes into an UploadResponse.
type answer struct {
	URL        string `json:"url"`
	DirectPath string `json:"direct_path"`
	Handle     string `json:"handle"`
	ObjectID   string `json:"object_id"`
}

var mediaType = regexp.MustCompile(`^[a-z][a-z-]{0,31}$`)

func (s *Store) upload(w http.ResponseWriter, r *http.Request) {
	kind, hash, ok := s.authorize(w, r)
	if !ok {
		return
	}
	if r.ContentLength < 0 {
		s.refuse(w, http.StatusLengthRequired, "an upload announces its length")
		return
	}
	if r.ContentLength > s.opts.MaxBlob {
		s.refuse(w, http.StatusRequestEntityTooLarge, "a blob may have "+strconv.FormatInt(s.opts.MaxBlob, 10)+" bytes")
		return
	}
	if !s.reserve(r.ContentLength) {
		s.refuse(w, http.StatusInsufficientStorage, "no room, even without every stored blob")
		return
	}
	data := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, data)
	if err != nil || sha256.Sum256(data) != hash {
		s.release(r.ContentLength)
		s.refuse(w, http.StatusBadRequest, "the body does not have the SHA-256 the token announces")
		return
	}
	s.put(hash, data)
	path := "/v/" + kind + "/" + hex.EncodeToString(hash[:]) + "?ccb=9-4&oe=" + strconv.FormatInt(time.Now().Add(14*24*time.Hour).Unix(), 16)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer{URL: "https://" + r.Host + path, DirectPath: path,
		Handle: base64.RawURLEncoding.EncodeToString(hash[:12]), ObjectID: hex.EncodeToString(hash[:8])})
}

func (s *Store) delete(w http.ResponseWriter, r *http.Request) {
	_, hash, ok := s.authorize(w, r)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, found := s.blobs[hash]; found {
		s.drop(e)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Store) download(w http.ResponseWriter, r *http.Request) {
	raw, err := hex.DecodeString(r.PathValue("name"))
	if err != nil || len(raw) != sha256.Size {
		s.refuse(w, http.StatusNotFound, "not a direct_path of this host")
		return
	}
	s.mu.Lock()
	e, ok := s.blobs[Hash(raw)]
	var b *blob
	if ok {
		s.recent.MoveToFront(e)
		s.stats.Downloads++
		b = e.Value.(*blob)
	}
	s.mu.Unlock()
	if !ok {
		s.refuse(w, http.StatusNotFound, "no such blob; it may have been evicted")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", b.at, bytes.NewReader(b.data))
}

// authorize checks everything of a request that changes the store, except its body.
func (s *Store) authorize(w http.ResponseWriter, r *http.Request) (kind string, hash Hash, ok bool) {
	kind, token, q := r.PathValue("type"), r.PathValue("token"), r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(q.Get("auth")), []byte(s.auth)) != 1 {
		s.refuse(w, http.StatusUnauthorized, "auth is not the one media_conn gave out")
		return "", hash, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(token, "=")) // Baileys writes it without padding
	if err != nil || len(raw) != len(hash) || q.Get("token") != token {
		s.refuse(w, http.StatusBadRequest, "token must be base64url of a SHA-256, alike in path and query")
		return "", hash, false
	}
	if !mediaType.MatchString(kind) || strings.HasPrefix(kind, "newsletter-") != strings.HasPrefix(r.URL.Path, "/newsletter/") {
		s.refuse(w, http.StatusBadRequest, "unknown media type")
		return "", hash, false
	}
	return kind, Hash(raw), true
}

func (s *Store) refuse(w http.ResponseWriter, status int, reason string) {
	s.mu.Lock()
	s.stats.Refused++
	s.mu.Unlock()
	http.Error(w, reason, status)
}

// reserve makes room for n bytes by evicting the least recently used blobs.
func (s *Store) reserve(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > s.opts.MaxBytes {
		return false
	}
	for s.used+n > s.opts.MaxBytes && s.recent.Len() > 0 {
		s.drop(s.recent.Back())
		s.stats.Evicted++
	}
	if s.used+n > s.opts.MaxBytes {
		return false
	}
	s.used += n
	return true
}

func (s *Store) release(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
}

// put stores data whose bytes are reserved. A blob that is already stored keeps its place, and its count goes up.
func (s *Store) put(h Hash, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Uploads++
	s.stats.Uploaded += int64(len(data))
	if e, ok := s.blobs[h]; ok {
		e.Value.(*blob).uploads++
		s.recent.MoveToFront(e)
		s.used -= int64(len(data))
		return
	}
	s.blobs[h] = s.recent.PushFront(&blob{hash: h, data: data, at: time.Now(), uploads: 1})
}

func (s *Store) drop(e *list.Element) {
	b := s.recent.Remove(e).(*blob)
	delete(s.blobs, b.hash)
	s.used -= int64(len(b.data))
}

// How long a client may keep a media_conn, and how long the credential in it holds.
const (
	connTTL = 6 * time.Hour
	authTTL = 24 * time.Hour
)

// MediaConn is the answer to a media_conn query: the credential for uploads and the hosts, best first. whatsmeow
// keeps it for the ttl; other clients refuse it without auth_ttl and max_buckets.
func (s *Store) MediaConn(hosts ...string) waBinary.Node {
	children := make([]waBinary.Node, len(hosts))
	for i, host := range hosts {
		children[i] = waBinary.Node{Tag: "host", Attrs: waBinary.Attrs{"hostname": host, "type": "primary"}}
	}
	return waBinary.Node{Tag: "media_conn", Content: children, Attrs: waBinary.Attrs{
		"auth": s.auth, "ttl": seconds(connTTL), "auth_ttl": seconds(authTTL), "max_buckets": "12",
	}}
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }
