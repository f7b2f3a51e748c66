package session

import (
	"context"
	"time"

	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// tokenKey is a contact under one edition of the LID map (see lids.go): the answer
// for a contact depends on both tables.
type tokenKey struct {
	user    string
	edition uint64
}

// everything matches all keys of a memo.
func everything[K comparable](K) bool { return true }

// GetPrivacyToken reads a contact's token, under either of the contact's names.
func (d *sessions) GetPrivacyToken(ctx context.Context, user types.JID) (*wastore.PrivacyToken, error) {
	key := tokenKey{user.ToNonAD().String(), d.devices.lids.edition.Load()}
	token, ok, ticket := d.tokens.Get(key)
	if !ok {
		var err error
		if token, err = d.guarded.GetPrivacyToken(sqldb.Apart(ctx), user); err != nil {
			return nil, err
		}
		d.tokens.Fill(key, token, ticket)
	}
	if token == nil {
		return nil, nil
	}
	own := *token // whatsmeow changes what it gets
	return &own, nil
}

// PutPrivacyTokens stores tokens.
func (d *sessions) PutPrivacyTokens(ctx context.Context, tokens ...wastore.PrivacyToken) error {
	defer d.tokens.Write(everything)()
	return d.guarded.PutPrivacyTokens(ctx, tokens...)
}

// DeleteExpiredPrivacyTokens deletes tokens from before cutoff.
func (d *sessions) DeleteExpiredPrivacyTokens(ctx context.Context, cutoff time.Time) (int64, error) {
	defer d.tokens.Write(everything)()
	return d.guarded.DeleteExpiredPrivacyTokens(ctx, cutoff)
}

// GetNCTSalt reads the account's salt.
func (d *sessions) GetNCTSalt(ctx context.Context) ([]byte, error) {
	salt, ok, ticket := d.salt.Get(struct{}{})
	if ok {
		return salt, nil
	}
	salt, err := d.guarded.GetNCTSalt(sqldb.Apart(ctx))
	if err == nil {
		d.salt.Fill(struct{}{}, salt, ticket)
	}
	return salt, err
}

// PutNCTSalt stores the salt.
func (d *sessions) PutNCTSalt(ctx context.Context, salt []byte) error {
	defer d.salt.Write(everything)()
	return d.guarded.PutNCTSalt(ctx, salt)
}

// DeleteNCTSalt deletes the salt.
func (d *sessions) DeleteNCTSalt(ctx context.Context) error {
	defer d.salt.Write(everything)()
	return d.guarded.DeleteNCTSalt(ctx)
}

// whatsmeow keeps the secret of every incoming message for poll votes, reactions
// and edits that refer to it later, in a table that nothing ever empties. Menus
// and clicks have no use for it, so it is not kept.

// PutMessageSecrets keeps nothing.
func (d *sessions) PutMessageSecrets(context.Context, []wastore.MessageSecretInsert) error {
	return nil
}

// PutMessageSecret keeps nothing.
func (d *sessions) PutMessageSecret(context.Context, types.JID, types.JID, types.MessageID, []byte) error {
	return nil
}
