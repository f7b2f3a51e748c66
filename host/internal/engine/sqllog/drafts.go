package sqllog

import (
	"context"
	"errors"
	"fmt"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// kept is a version as it is read from its row.
type kept struct {
	engine.Version
	tried bool
}

func keptRow(row sqldb.Scanner) (k kept, err error) {
	err = row.Scan(&k.Digest, &k.Number, &k.State, &k.Manifests, &k.Source, &k.Name, &k.tried)
	return k, err
}

// find returns the version that meets a condition on $1; ok says that there is one.
func find(t *sqldb.Tx, condition, arg string) (k kept, ok bool, err error) {
	k, err = sqldb.One(t.Context(), t, keptRow, `SELECT digest, number, state, manifests, source, name, tried <> 0 FROM engine_flows WHERE `+condition, arg)
	if errors.Is(err, sqldb.ErrNotFound) {
		return kept{}, false, nil
	}
	return k, err == nil, err
}

func draftOf(t *sqldb.Tx, flow string) (k kept, ok bool, err error) {
	return find(t, `flow = $1 AND state = 'draft'`, flow)
}

// putDraft keeps a draft in place of the one before.
func (l *Log) putDraft(t *sqldb.Tx, v engine.Version) error {
	old, isOld, err := draftOf(t, v.Flow)
	if err != nil {
		return err
	}
	key := v.Digest
	if key == "" {
		key = engine.DraftKey(v.Flow)
	} else if same, known, err := find(t, `digest = $1`, key); err != nil {
		return err
	} else if known && same.State == engine.Published && string(same.Source) == string(v.Source) {
		return dropDraft(t, old, isOld) // the published version says the same
	} else if known && same.State != engine.Draft {
		key = engine.DraftKey(v.Flow)
	}
	if v.Name == "" {
		v.Name = old.Name
	}
	if v.Source == nil { // NULL is not allowed, and an empty file is a file, too
		v.Source = []byte{}
	}
	if isOld && (!old.tried || old.Digest == key) {
		_, err := t.Exec(`UPDATE engine_flows SET digest = $2, source = $3, deployed_at = $4, manifests = $5, name = $6, saved_by = $7 WHERE digest = $1`,
			old.Digest, key, v.Source, sqldb.Millis(l.now()), v.Manifests, v.Name, v.By)
		return err
	}
	if isOld {
		err = dropDraft(t, old, true)
	} else {
		err = room(t)
	}
	if err != nil {
		return err
	}
	v.Digest = key
	return l.insertFlow(t, v)
}

// room says whether another flow may have a draft.
func room(t *sqldb.Tx) error {
	var drafts int
	err := t.Row(`SELECT count(*) FROM engine_flows WHERE state = 'draft'`, nil, &drafts)
	if err == nil && drafts >= engine.MaxDrafts {
		err = fmt.Errorf("%d flows have drafts, which is the limit: %w", drafts, engine.ErrFull)
	}
	return err
}

// dropDraft removes a draft, if there is one. A draft that runs have tried is kept for them as a
// trial.
func dropDraft(t *sqldb.Tx, old kept, is bool) (err error) {
	switch {
	case is && old.tried:
		_, err = t.Exec(`UPDATE engine_flows SET state = 'trial' WHERE digest = $1`, old.Digest)
	case is:
		_, err = t.Exec(`DELETE FROM engine_flows WHERE digest = $1`, old.Digest)
	}
	return err
}

// DropDraft implements engine.Archive.
func (l *Log) DropDraft(ctx context.Context, flow string) error {
	var is bool
	err := l.db.Write(ctx, "drop the draft of flow "+flow, l.change(func(t *sqldb.Tx) error {
		old, found, err := draftOf(t, flow)
		if is = found; err != nil {
			return err
		}
		return dropDraft(t, old, is)
	}))
	if err == nil && !is {
		return engine.ErrNotFound
	}
	return err
}

// Try implements engine.Log.
func (l *Log) Try(ctx context.Context, v engine.Version) error {
	return l.db.Write(ctx, "keep the tried version of flow "+v.Flow, l.change(func(t *sqldb.Tx) error {
		_, known, err := find(t, `digest = $1`, v.Digest)
		if known || err != nil {
			if known {
				_, err = t.Exec(`UPDATE engine_flows SET tried = 1 WHERE digest = $1 AND tried = 0`, v.Digest)
			}
			return err
		}
		if draft, is, err := draftOf(t, v.Flow); err != nil {
			return err
		} else if is && string(draft.Source) == string(v.Source) { // the draft did not fit the nodes when it was kept
			_, err := t.Exec(`UPDATE engine_flows SET digest = $2, manifests = $3, tried = 1 WHERE digest = $1`, draft.Digest, v.Digest, v.Manifests)
			return err
		}
		v.State = engine.Trial // the draft was replaced meanwhile
		return l.insertFlow(t, v)
	}))
}

func (l *Log) insertFlow(t *sqldb.Tx, v engine.Version) error {
	_, err := t.Exec(`INSERT INTO engine_flows (digest, flow, source, deployed_at, number, state, manifests, name, saved_by)
		SELECT $1, $2, $3, $4, coalesce(max(number), 0) + 1, $5, $6, $7, $8 FROM engine_flows WHERE flow = $2`,
		v.Digest, v.Flow, v.Source, sqldb.Millis(l.now()), string(v.State), v.Manifests, v.Name, v.By)
	return err
}
