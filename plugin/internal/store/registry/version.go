package registry

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// WebVersion reads the version of WhatsApp Web that was stored last, while it is
// fresh; "" when there is none.
func (r *Registry) WebVersion(ctx context.Context) (string, error) {
	value, err := r.db.Meta(ctx, "web_version")
	if err != nil || value == "" {
		return "", sqldb.Wrap("read the version of WhatsApp Web", err)
	}
	version, end, _ := strings.Cut(value, " until ")
	until, err := strconv.ParseInt(end, 10, 64)
	if err != nil {
		return "", fmt.Errorf("read the version of WhatsApp Web: %q has no end: %w", value, err)
	}
	if until <= sqldb.Millis(r.now()) {
		return "", nil
	}
	return version, nil
}

// PutWebVersion stores a version until its end.
func (r *Registry) PutWebVersion(ctx context.Context, version string, until time.Time) error {
	return r.db.WriteUnsynced(ctx, "store the version of WhatsApp Web", func(t *sqldb.Tx) error {
		return t.PutMeta("web_version", version+" until "+strconv.FormatInt(sqldb.Millis(until), 10))
	})
}
