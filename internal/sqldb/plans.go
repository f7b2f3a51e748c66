package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Plans returns the steps of the query plan for every query that contains prefix and that this
// SQLite database has compiled so far. They show whether an index serves the query.
func (db *DB) Plans(ctx context.Context, prefix string) (map[string][]string, error) {
	conns := []*sql.Conn{db.writer.conn}
	for range db.sql.Stats().Idle {
		c, err := db.sql.Conn(ctx)
		if err != nil {
			return nil, err
		}
		defer c.Close() //nolint:errcheck // it goes back to the pool
		conns = append(conns, c)
	}
	plans := make(map[string][]string)
	for _, c := range conns {
		err := c.Raw(func(raw any) error {
			lite, ok := raw.(*conn)
			if !ok {
				return fmt.Errorf("%T is no connection to SQLite", raw)
			}
			for query := range lite.stmts {
				if strings.Contains(query, prefix) && !strings.HasPrefix(query, "CREATE") {
					plans[query] = nil
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for query := range plans {
		steps, err := All(ctx, db, func(row Scanner) (step string, err error) {
			var id, parent, unused int
			err = row.Scan(&id, &parent, &unused, &step)
			return step, err
		}, `EXPLAIN QUERY PLAN `+query, make([]any, strings.Count(query, "$")+strings.Count(query, "?"))...)
		if err != nil {
			return nil, fmt.Errorf("explain %s: %w", query, err)
		}
		plans[query] = steps
	}
	return plans, nil
}
