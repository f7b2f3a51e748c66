package events

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// TestKeptWebhooksAreCalled: webhooks that the seed's API stored before this host could call any are
// called after the migration, with the settings that they had.
func TestKeptWebhooksAreCalled(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { keptWebhooks(t, sqlite(t.TempDir())) })
	t.Run("postgres", func(t *testing.T) { keptWebhooks(t, sqllog.Options{Postgres: sqldbtest.Postgres(t)}) })
}

func keptWebhooks(t *testing.T, o sqllog.Options) {
	r := receive(t, nil)
	before := t.TempDir() // the migrations up to that version
	for _, name := range []string{"001_initial.sql", "002_seam.sql", "003_runs.sql", "004_instances.sql"} {
		raw, err := os.ReadFile(filepath.Join("../engine/sqllog/schema", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(before, name), raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := sqldb.Open(t.Context(), sqldb.Options{Dir: o.Dir, File: sqllog.FileName, Postgres: o.Postgres})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Migrate(t.Context(), sqldb.Schema{Meta: sqllog.MetaTable, Files: os.DirFS(before)}, nil)
	if err == nil {
		err = db.Write(t.Context(), "test", func(tx *sqldb.Tx) error {
			_, err := tx.Exec(`INSERT INTO engine_instances (name, rotation, created_at) VALUES ('shop', 'x', 0)`)
			for label, settings := range map[string]string{
				"crm": `{"label":"crm","enabled":true,"url":"` + r.URL + `/in","authorization":"Bearer x","byEvents":false,"events":["whatsapp.button.clicked.v1"],"mediaBase64":true}`,
				"off": `{"label":"off","enabled":false,"url":"` + r.URL + `/off","authorization":"","byEvents":false,"events":[],"mediaBase64":false}`,
			} {
				if err == nil {
					_, err = tx.Exec(`INSERT INTO engine_outlets (instance, kind, label, settings) VALUES ('shop', 'webhook', $1, $2)`, label, settings)
				}
			}
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	p := open(t, o)
	all, err := p.List(t.Context(), "shop")
	if err != nil || len(all) != 2 || !all[0].Enabled || all[1].Enabled || all[0].Label != "crm" || !all[0].MediaBase64 || all[0].Authorization != "Bearer x" {
		t.Fatalf("%+v, %v", all, err)
	}
	p.Start()
	r.until(t, "called", r.has(p.tell(t, "shop", 1)))
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.calls[0]; c.path != "/in" || c.header.Get("Authorization") != "Bearer x" || len(r.calls) != 1 {
		t.Errorf("called %+v", r.calls)
	}
}
