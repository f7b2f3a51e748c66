package ledger

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
)

// State is how far a send is known to have come. It only grows, except that
// Failed and Sent both follow Unknown.
type State int

// The states, in the order they are reached.
const (
	Intent    State = 10 // on disk, not known to have left
	Unknown   State = 20 // it may have left: no answer came
	Failed    State = 30 // the server refused it; final
	Sent      State = 40 // the server acknowledged it
	Delivered State = 50 // a device of the receiver has it
	Read      State = 60 // the receiver opened it
)

// String is the state's name in lower case.
func (s State) String() string {
	switch s {
	case Intent:
		return "intent"
	case Unknown:
		return "unknown"
	case Failed:
		return "failed"
	case Sent:
		return "sent"
	case Delivered:
		return "delivered"
	case Read:
		return "read"
	}
	return fmt.Sprintf("state(%d)", int(s))
}

// Entry is a row of the ledger: one send, by the operation, the instance and the
// idempotency key it was asked for with.
type Entry struct {
	Operation   string
	Key         string
	Fingerprint string // of the request; the same key with another fingerprint is a mistake
	Instance    string
	Chat        recipient.Chat
	MessageID   string
	State       State
	Profile     string // encoder profile of Message
	Message     []byte // marshalled waE2E.Message: re-sent as it is
	Outcome     []byte // JSON; nil until settled
	Warnings    []byte // JSON; nil when there are none
	CreatedAt   time.Time
	UpdatedAt   time.Time
	ExpiresAt   time.Time
	Source      string // the request's
	Correlation string // the call's

	// When it reached each state; zero for never. See [Entry.History].
	UnknownAt, FailedAt, SentAt, DeliveredAt, ReadAt time.Time
}

// Verdict says what Begin found for a key.
type Verdict int

// What Begin finds. Only Fresh and Resume hold the key.
const (
	Fresh    Verdict = iota // not seen: do the work, Intend before sending
	Replay                  // settled: answer with Entry's outcome
	Resume                  // intended, outcome unknown: send Entry.Message again under Entry.MessageID
	InFlight                // another call holds the key now
	Mismatch                // the key belongs to a different request
)

// Claim is a key being worked on. While it is held no other call gets the key.
type Claim struct {
	Verdict Verdict
	Entry   Entry // as stored; for Fresh only what Begin was asked, and the message id

	ledger  *Ledger     // set by Intend
	menu    *menus.Menu // set by Intend; nil for none
	ahead   ahead
	release func()
}

// Release gives the key back. It is idempotent and safe on every verdict.
func (c *Claim) Release() {
	if c.release != nil {
		c.release()
	}
}

// Begin looks a key up and holds it until the caller releases the claim. Keys are held in memory,
// because only one process owns an instance (see ClaimLease); what a crash leaves behind is in the
// ledger. sqldb.ErrLimit means that the ledger is full.
func (l *Ledger) Begin(ctx context.Context, operation, instance, key, fingerprint string) (*Claim, error) {
	c := &Claim{Entry: Entry{
		Operation: operation, Key: key, Instance: instance, Fingerprint: fingerprint,
		MessageID: newMessageID(instance, operation, key),
	}}
	holder, release := l.held.take(operation, scoped(instance, key), fingerprint)
	if release == nil {
		return c, l.beside(ctx, c, holder)
	}
	var entry Entry
	err := sqldb.ErrNotFound
	if l.keys == nil || l.keys.mayHold(operation, scoped(instance, key)) {
		entry, err = l.Lookup(ctx, operation, instance, key)
	}
	switch {
	case errors.Is(err, sqldb.ErrNotFound):
		if l.full.Load() {
			release()
			return nil, fmt.Errorf("begin: %w: %d sends are remembered: shorten the ledger's retention", sqldb.ErrLimit, l.opt.Limit)
		}
		c.Verdict, c.release = Fresh, release
	case err != nil:
		release()
		return nil, err
	case entry.Fingerprint != fingerprint:
		release()
		c.Verdict, c.Entry = Mismatch, entry
	case entry.State <= Unknown:
		c.Verdict, c.Entry, c.release = Resume, entry, release
	default:
		release()
		c.Verdict, c.Entry = Replay, entry
	}
	return c, nil
}

// beside sets the verdict while another call holds the key. That call may only be replaying: a
// settled send can be answered to any number of calls at once.
func (l *Ledger) beside(ctx context.Context, c *Claim, holder string) error {
	if c.Entry.Fingerprint != holder {
		c.Verdict = Mismatch
		return nil
	}
	c.Verdict = InFlight
	entry, err := l.Lookup(ctx, c.Entry.Operation, c.Entry.Instance, c.Entry.Key)
	if errors.Is(err, sqldb.ErrNotFound) {
		return nil
	}
	if err == nil && entry.State > Unknown && entry.Fingerprint == holder {
		c.Verdict, c.Entry = Replay, entry
	}
	return err
}

const entryColumns = `operation, idem_key, fingerprint, instance, chat, chat_lid, message_id, state, profile,
	message, outcome, warnings, created_at, updated_at, expires_at, source, correlation,
	unknown_at, failed_at, sent_at, delivered_at, read_at`

// Lookup reads an entry. Error: sqldb.ErrNotFound.
func (l *Ledger) Lookup(ctx context.Context, operation, instance, key string) (Entry, error) {
	n := name{instance, operation, key}
	if err := l.caughtUp(ctx, n); err != nil {
		return Entry{}, err
	}
	e, err := lookup(sqldb.Concerning(ctx, n.String()), l.db, operation, instance, key)
	return e, sqldb.Wrap("look the key up", err)
}

func lookup(ctx context.Context, q sqldb.Querier, operation, instance, key string) (Entry, error) {
	return sqldb.One(ctx, q, scanEntry,
		`SELECT `+entryColumns+` FROM tapnode_ledger WHERE operation = $1 AND idem_key = $2`, operation, scoped(instance, key))
}

// SentMessage reads the entry of a message by its id. Error: sqldb.ErrNotFound.
func (l *Ledger) SentMessage(ctx context.Context, instance, messageID string) (Entry, error) {
	if err := l.Followed(ctx, instance, messageID); err != nil {
		return Entry{}, err
	}
	e, err := sqldb.One(sqldb.Concerning(ctx, name{instance, "", messageID}.String()), l.db, scanEntry,
		`SELECT `+entryColumns+` FROM tapnode_ledger WHERE instance = $1 AND message_id = $2`, instance, messageID)
	return e, sqldb.Wrap("look the message up", err)
}

func scanEntry(row sqldb.Scanner) (Entry, error) {
	var e Entry
	var createdAt, updatedAt, expiresAt, unknownAt, failedAt, sentAt, deliveredAt, readAt int64
	err := row.Scan(&e.Operation, &e.Key, &e.Fingerprint, &e.Instance, &e.Chat.JID, &e.Chat.LID, &e.MessageID,
		&e.State, &e.Profile, &e.Message, &e.Outcome, &e.Warnings, &createdAt, &updatedAt, &expiresAt,
		&e.Source, &e.Correlation, &unknownAt, &failedAt, &sentAt, &deliveredAt, &readAt)
	e.Key = strings.TrimPrefix(e.Key, scoped(e.Instance, ""))
	e.CreatedAt, e.UpdatedAt, e.ExpiresAt = sqldb.Time(createdAt), sqldb.Time(updatedAt), sqldb.Time(expiresAt)
	e.UnknownAt, e.FailedAt, e.SentAt = sqldb.Time(unknownAt), sqldb.Time(failedAt), sqldb.Time(sentAt)
	e.DeliveredAt, e.ReadAt = sqldb.Time(deliveredAt), sqldb.Time(readAt)
	return e, err
}

// claims holds the keys being worked on. Its size is the number of running calls.
type claims struct {
	mu   sync.Mutex
	keys map[[2]string]string // to the fingerprint of the holder
}

// take holds a key and returns the function that releases it or, if the key is already held, nil
// and the holder's fingerprint.
func (c *claims) take(operation, key, fingerprint string) (holder string, release func()) {
	k := [2]string{operation, key}
	c.mu.Lock()
	defer c.mu.Unlock()
	if holder, busy := c.keys[k]; busy {
		return holder, nil
	}
	if c.keys == nil {
		c.keys = make(map[[2]string]string)
	}
	c.keys[k] = fingerprint
	return "", sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.keys, k)
	})
}

// each calls fn for every held key.
func (c *claims) each(fn func(operation, key string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.keys {
		fn(k[0], k[1])
	}
}

// newMessageID makes the WhatsApp id of the message to be sent for (instance, operation, key):
// "3EB0" and 18 upper-case hex digits, the form of whatsmeow's Client.GenerateMessageID. It is
// stored with the intent, so a send that is repeated after a crash keeps it. It is new for every
// use of a key, because a phone drops a message whose id it has seen, even if the key has expired
// since or the database was lost.
func newMessageID(instance, operation, key string) string {
	var once [16]byte
	rand.Read(once[:])
	sum := outbox.Digest("tapnode/message-id/v2", instance, operation, key, string(once[:]))
	return "3EB0" + strings.ToUpper(hex.EncodeToString(sum[:9]))
}

// scoped returns the stored form of a key, which keeps the keys of different instances apart. An
// instance's name holds no slash.
func scoped(instance, key string) string { return instance + "/" + key }
