package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Rows counts the rows of every table in the database, whatsmeow's included.
func (s *Store) Rows(ctx context.Context) (map[string]int, error) {
	query := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	if s.opt.Postgres != "" {
		query = `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()`
	}
	tables, err := collect(ctx, s.db, func(row scanner) (name string, err error) { return name, row.Scan(&name) }, query)
	rows := make(map[string]int, len(tables))
	for _, table := range tables {
		var n int
		if err == nil {
			err = s.db.QueryRowContext(ctx, `SELECT count(*) FROM `+table).Scan(&n)
		}
		rows[table] = n
	}
	return rows, err
}

// Plans explains every query on our own tables that this SQLite store has compiled so
// far: query → the steps of its plan.
func (s *Store) Plans(ctx context.Context) (map[string][]string, error) {
	plans := make(map[string][]string)
	conns := []*sql.Conn{s.writer.conn}
	for range s.db.Stats().Idle {
		c, err := s.db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		conns = append(conns, c)
	}
	for _, c := range conns {
		err := c.Raw(func(raw any) error {
			for query := range raw.(*conn).stmts {
				if strings.Contains(query, "tapnode_") && !strings.HasPrefix(query, "CREATE") {
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
		var err error
		plans[query], err = collect(ctx, s.db, func(row scanner) (step string, err error) {
			var id, parent, unused int
			return step, row.Scan(&id, &parent, &unused, &step)
		}, `EXPLAIN QUERY PLAN `+query, make([]any, strings.Count(query, "$"))...)
		if err != nil {
			return nil, fmt.Errorf("explain %s: %w", query, err)
		}
	}
	return plans, nil
}
