package session

import (
	"context"

	"go.mau.fi/whatsmeow/types"

	wastore "go.mau.fi/whatsmeow/store"
)

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
