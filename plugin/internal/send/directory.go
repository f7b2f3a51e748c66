package send

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/cache"
)

const (
	knownFor   = 24 * time.Hour   // a number usually keeps its account for years
	unknownFor = 10 * time.Minute // the owner may install WhatsApp at any moment
	inMemory   = 20_000           // answers; 150 bytes each
)

// directory caches which numbers are on WhatsApp, in memory and in the store.
type directory struct {
	cache *cache.Cache
	known *lru.Cache[string, cache.Recipient]
}

func newDirectory(c *cache.Cache) *directory {
	known, err := lru.New[string, cache.Recipient](inMemory)
	if err != nil {
		panic(err) // inMemory is not positive
	}
	return &directory{cache: c, known: known}
}

// lookup is a recipient.Resolver that queries WhatsApp through one connected instance.
type lookup struct {
	*directory
	inst    *pool.Instance
	client  *whatsmeow.Client // inst's client
	timeout time.Duration
}

// Lookup answers from the caches if they have every candidate; otherwise it asks WhatsApp once
// about all of them.
func (l lookup) Lookup(ctx context.Context, candidates []string) ([]recipient.Answer, error) {
	answers := make([]recipient.Answer, 0, len(candidates))
	for _, c := range candidates {
		r, ok := l.cached(ctx, c)
		if !ok {
			return l.ask(ctx, candidates)
		}
		r = l.renewed(ctx, r)
		answer, err := answerOf(r)
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

// renewed updates a cached answer with the LID that WhatsApp has given since: every query and every
// incoming message says which LID a number has.
func (l lookup) renewed(ctx context.Context, r cache.Recipient) cache.Recipient {
	lid := lidOf(ctx, l.client, r.Chat)
	if lid.IsEmpty() || lid.String() == r.Chat.LID {
		return r
	}
	r.Chat.LID = lid.String()
	l.remember(ctx, r)
	return r
}

// lidOf returns the LID of a person's number, or an empty JID if WhatsApp has not given it.
func lidOf(ctx context.Context, cli *whatsmeow.Client, chat recipient.Chat) types.JID {
	number := chat.Phone()
	if number == "" {
		return types.EmptyJID
	}
	lid, err := cli.Store.LIDs.GetLIDForPN(ctx, types.NewJID(number, types.DefaultUserServer))
	if err != nil { // it is read again for the next message
		return types.EmptyJID
	}
	return lid.ToNonAD()
}

func (l lookup) ask(ctx context.Context, candidates []string) ([]recipient.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	queries := make([]string, len(candidates))
	for i, c := range candidates {
		queries[i] = "+" + c
	}
	found, err := l.inst.OnWhatsApp(ctx, queries)
	if err != nil {
		return nil, fmt.Errorf("ask WhatsApp for the number: %w", err)
	}
	answers := make([]recipient.Answer, 0, len(candidates))
	for _, f := range found {
		if !slices.Contains(candidates, digitsOf(f.Query)) {
			continue // from another caller's query
		}
		a := recipient.Answer{Query: f.Query, Exists: f.IsIn, JID: f.JID.ToNonAD(), Phone: f.PhoneNumber.ToNonAD()}
		answers = append(answers, a)
		l.remember(ctx, recipientOf(a))
	}
	return answers, nil
}

func (d *directory) cached(ctx context.Context, query string) (cache.Recipient, bool) {
	if r, ok := d.known.Get(query); ok && time.Now().Before(r.ExpiresAt) {
		return r, true
	}
	r, err := d.cache.Recipient(ctx, query)
	if err != nil { // missing or unreadable: WhatsApp is asked instead
		return r, false
	}
	d.known.Add(query, r)
	return r, true
}

// remember caches an answer. A failed write only costs a query later.
func (d *directory) remember(ctx context.Context, r cache.Recipient) {
	if r.Query == "" {
		return
	}
	d.known.Add(r.Query, r)
	_ = d.cache.PutRecipient(ctx, r)
}

// forget drops the cached answers for a person, because WhatsApp has refused a message sent there;
// the next send asks again. If the stored cache cannot be written, its answers stay until they
// expire.
func (d *directory) forget(ctx context.Context, chat recipient.Chat) {
	for _, query := range d.known.Keys() {
		r, _ := d.known.Peek(query)
		if r.Found && (chat.JID != "" && r.Chat.JID == chat.JID || chat.LID != "" && r.Chat.LID == chat.LID) {
			d.known.Remove(query)
		}
	}
	_ = d.cache.DropRecipient(ctx, chat)
}

func recipientOf(a recipient.Answer) cache.Recipient {
	r := cache.Recipient{Query: digitsOf(a.Query), Found: a.Exists, ExpiresAt: time.Now().Add(unknownFor)}
	if a.Exists {
		r.ExpiresAt = time.Now().Add(knownFor)
		r.Chat = recipient.ChatOf(a.JID, a.Phone)
	}
	return r
}

func answerOf(r cache.Recipient) (recipient.Answer, error) {
	a := recipient.Answer{Query: r.Query, Exists: r.Found}
	if !r.Found {
		return a, nil
	}
	var err, errLID error
	if r.Chat.JID != "" {
		a.Phone, err = types.ParseJID(r.Chat.JID)
		a.JID = a.Phone
	}
	if r.Chat.LID != "" {
		a.JID, errLID = types.ParseJID(r.Chat.LID)
	}
	return a, errors.Join(err, errLID)
}

// digitsOf returns a query in the form Candidates wrote it.
func digitsOf(query string) string {
	digits := make([]byte, 0, len(query))
	for _, c := range []byte(query) {
		if c == '@' {
			break
		}
		if c >= '0' && c <= '9' {
			digits = append(digits, c)
		}
	}
	return string(digits)
}
