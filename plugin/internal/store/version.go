package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// WebVersion reads the version of WhatsApp Web that was stored last, while it is
// fresh; "" when there is none.
func (s *Store) WebVersion(ctx context.Context) (string, error) {
	var value string
	err := s.row(ctx, `SELECT value FROM tapnode_meta WHERE name = $1`, []any{"web_version"}, &value)
	if err != nil {
		return "", wrap("read the version of WhatsApp Web", err)
	}
	version, end, _ := strings.Cut(value, " until ")
	until, err := strconv.ParseInt(end, 10, 64)
	if err != nil {
		return "", fmt.Errorf("read the version of WhatsApp Web: %q has no end: %w", value, err)
	}
	if until <= millis(s.now()) {
		return "", nil
	}
	return version, nil
}

// PutWebVersion stores a version until its end.
func (s *Store) PutWebVersion(ctx context.Context, version string, until time.Time) error {
	return s.writeUnsynced(ctx, "store the version of WhatsApp Web", func(t *tx) error {
		return setMeta(t.ctx, t.sql, "web_version", version+" until "+strconv.FormatInt(millis(until), 10))
	})
}
