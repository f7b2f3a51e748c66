package store

import (
	"go.mau.fi/whatsmeow/store/sqlstore"
)

// sessions is whatsmeow's store of one device.
type sessions struct {
	*sqlstore.SQLStore
}

func newSessions(_ *Store, plain *sqlstore.SQLStore) *sessions { return &sessions{plain} }
