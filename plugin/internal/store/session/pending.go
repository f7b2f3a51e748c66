package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	wastore "go.mau.fi/whatsmeow/store"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Decryption is an incoming message that was decrypted in memory. The ratchet it advanced and the
// mark that it was handled are written in the transaction that stores what the message became, so
// that a message costs one commit. Until then only the decryption of the next message builds on it.
// If it cannot be stored, it counts as never decrypted: WhatsApp delivers the message again, and
// the ratchet in the database decrypts it again.
type Decryption struct {
	store *sessions

	base  map[ratchet][]byte // the states it found; nil: none
	moved map[ratchet][]byte // the states it leaves
	more  bool               // it needs more than memory, see DoDecryptionTxn

	hash      [32]byte // of the ciphertext; zero: there is no mark to store
	plaintext []byte
	sentAt    time.Time

	after  *Decryption  // the decryption that must be stored before; nil: none
	stored func() error // waits for the commit of the ratchets; nil: their write has not begun
	marks  bool         // that commit holds the mark, too
	ended  bool

	// Only the writer's goroutine uses these.
	tx        *sqldb.Tx // in which it was last written
	committed bool
}

// ratchet names a record that advances with every message.
type ratchet struct {
	group   string // empty: the session with a device, else the group whose sender key it is
	address string // of the device, for Signal
}

// pending holds what a device has decrypted and not yet stored.
type pending struct {
	mu      sync.Mutex
	waiting *Decryption             // the newest, until its write begins
	begun   []*Decryption           // oldest first
	ahead   map[ratchet]*Decryption // the last decryption that advanced each ratchet
	handled [32]byte                // the message whose mark was stored last
}

var (
	errOvertaken = errors.New("a message before this one on the same line could not be stored")
	errMoved     = errors.New("somebody else has moved the ratchet on since the message was decrypted")
	errMore      = errors.New("the decryption needs the database")
)

// newest is the decryption that the next one builds on, or nil.
func (p *pending) newest() *Decryption {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.begun); n > 0 && p.waiting == nil {
		return p.begun[n-1]
	}
	return p.waiting
}

// value returns the state of a ratchet that the newest decryption has left; false: the database has
// it.
func (p *pending) value(r ratchet) ([]byte, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if dec := p.ahead[r]; dec != nil {
		return dec.moved[r], true
	}
	return nil, false
}

// add takes a decryption that has just been made.
func (p *pending) add(dec *Decryption) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for r := range dec.moved {
		p.ahead[r] = dec
	}
	p.waiting = dec
}

// Decrypted returns the decryption of the message that the device is handling, or nil if that is
// being stored or in the database already.
func Decrypted(of *wastore.Device) *Decryption {
	d, ok := of.Sessions.(*sessions)
	if !ok {
		return nil
	}
	return d.pending.current()
}

// current returns the decryption whose write has not begun, or nil.
func (p *pending) current() *Decryption {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting
}

// marked reports whether a message is the last one whose mark was stored.
func (p *pending) marked(hash [32]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.handled == hash
}

// Begin calls begin to queue the write that stores what the message became; along must run first in
// that write. The write has to be synced, and begin must not wait for it. Once the wait that Begin
// returns has returned nil, the message may be acknowledged. For a nil Decryption along does
// nothing.
func (dec *Decryption) Begin(begin func(along func(*sqldb.Tx) error) (wait func() error)) (wait func() error) {
	if dec == nil {
		return begin(func(*sqldb.Tx) error { return nil })
	}
	p := &dec.store.pending
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting != dec { // a send could not wait and has stored the ratchets
		return begin(dec.mark)
	}
	dec.marks = true
	p.begin(dec, begin(func(t *sqldb.Tx) error {
		if err := dec.write(t); err != nil {
			return err
		}
		return dec.mark(t)
	}))
	return dec.end
}

// begin records that a decryption's write is queued.
func (p *pending) begin(dec *Decryption, wait func() error) {
	dec.stored = sync.OnceValue(wait)
	p.waiting = nil
	p.begun = append(p.begun, dec)
}

// spill begins to store the waiting decryption, with its plaintext, because what it became is
// stored later. A write of the same ratchets that is queued next runs after it. It returns nil if
// none is waiting.
func (d *sessions) spill(ctx context.Context) *Decryption {
	p := &d.pending
	p.mu.Lock()
	defer p.mu.Unlock()
	dec := p.waiting
	if dec == nil {
		return nil
	}
	p.begin(dec, d.devices.db.Begin(context.WithoutCancel(ctx), "store the decryption", func(t *sqldb.Tx) error {
		t.Committed(func() { d.decrypted.Store(d.devices.db.Committed()) })
		if err := dec.write(t); err != nil {
			return err
		}
		return dec.buffer(t)
	}))
	return dec
}

// flush returns when everything that was decrypted is stored or has failed.
func (d *sessions) flush(ctx context.Context) {
	d.spill(ctx)
	d.pending.mu.Lock()
	begun := slices.Clone(d.pending.begun)
	d.pending.mu.Unlock()
	for _, dec := range begun {
		_ = dec.end() // the caller that stores the message gets the error
	}
}

// end waits until the decryption is stored or dropped. If later ones build on one that is dropped,
// they are dropped, too, and so the connection has to end.
func (dec *Decryption) end() error {
	err := dec.stored()
	if dec.endWith(err) {
		err = dec.store.latch(context.Background(), err)
	}
	return err
}

// endWith records the outcome and reports whether it is an error that later decryptions depend on.
func (dec *Decryption) endWith(err error) (suffer bool) {
	d, p := dec.store, &dec.store.pending
	p.mu.Lock()
	defer p.mu.Unlock()
	if dec.ended {
		return false
	}
	dec.ended, dec.after = true, nil
	p.begun = slices.DeleteFunc(p.begun, func(b *Decryption) bool {
		suffer = suffer || b.after == dec
		return b == dec
	})
	for r, now := range dec.moved {
		if p.ahead[r] != dec {
			continue
		}
		if delete(p.ahead, r); err == nil {
			d.known.Replace(r, now)
		}
	}
	if err != nil {
		return suffer || p.waiting != nil && p.waiting.after == dec
	}
	if dec.marks {
		p.handled = dec.hash
	}
	return false
}

// overtake detaches ratchets from the decryptions that advanced them, because another write follows
// theirs.
func (p *pending) overtake(ratchets map[ratchet][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for r := range ratchets {
		delete(p.ahead, r)
	}
}

// find returns the decryption of a message whose write was begun, or nil.
func (p *pending) find(hash [32]byte) *Decryption {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, dec := range p.begun {
		if dec.hash == hash {
			return dec
		}
	}
	return nil
}

// write advances the ratchets from where the decryption found them.
func (dec *Decryption) write(t *sqldb.Tx) error {
	if a := dec.after; a != nil && !a.committed && a.tx != t {
		return errOvertaken
	}
	for r, now := range dec.moved {
		if err := r.move(t, dec.store.JID, dec.base[r], now); err != nil {
			return err
		}
	}
	dec.tx = t
	t.Committed(func() { dec.committed = true })
	return nil
}

const putBuffered = `INSERT INTO whatsmeow_event_buffer (our_jid, ciphertext_hash, plaintext, server_timestamp, insert_timestamp)
	VALUES ($1, $2, $3, $4, $5) ON CONFLICT (our_jid, ciphertext_hash) `

// mark stores that the message was handled.
func (dec *Decryption) mark(t *sqldb.Tx) error {
	return dec.put(t, putBuffered+`DO UPDATE SET plaintext = NULL`, nil)
}

// buffer stores the message, unless it was handled meanwhile.
func (dec *Decryption) buffer(t *sqldb.Tx) error {
	return dec.put(t, putBuffered+`DO NOTHING`, dec.plaintext)
}

func (dec *Decryption) put(t *sqldb.Tx, query string, plaintext []byte) error {
	if dec.hash == [32]byte{} {
		return nil
	}
	return t.Later(query, dec.store.JID, dec.hash[:], plaintext, dec.sentAt.Unix(), time.Now().UnixMilli())
}
