package session

import (
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/jackc/pgx/v5/pgtype"
	"go.mau.fi/whatsmeow/store/sqlstore"
)

// whatsmeow passes lists of strings to ANY($1); pgx encodes a []string itself, so
// the wrapper only has to carry it.
func init() { sqlstore.PostgresArrayWrapper = wrapArray }

// array carries a list through sqlstore's driver.Valuer and sql.Scanner to pgx,
// as the text form of a Postgres array.
type array struct{ list []string }

func wrapArray(v any) interface {
	driver.Valuer
	sql.Scanner
} {
	list, _ := v.([]string)
	return array{list}
}

// Value is the array's text form.
func (a array) Value() (driver.Value, error) {
	buf, err := pgtype.NewMap().Encode(pgtype.TextArrayOID, pgtype.TextFormatCode, a.list, nil)
	return string(buf), err
}

// Scan is not used: whatsmeow only writes arrays.
func (a array) Scan(any) error { return errors.New("arrays are write-only") }
