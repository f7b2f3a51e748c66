package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/tapnode/tapnode/host/internal/backup"
	"github.com/tapnode/tapnode/host/internal/catalog"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
)

// backupData writes the data directory into an archive. It does not contact a running server, since
// SQLite gives every process a snapshot.
func backupData(ctx context.Context, c console, args []string) error {
	flags := newFlags("backup")
	data, nodes := dataFlag(flags), nodesFlag(flags)
	file, err := oneFile(c, flags, args)
	if err != nil {
		return err
	}
	lock, err := catalog.Load(filepath.Join(*nodes, catalog.LockName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return environment(err)
	}
	src := backup.Source{Dir: *data, Database: sqllog.FileName, Meta: sqllog.MetaTable, Nodes: []backup.Node{}}
	for _, n := range lock.Nodes {
		src.Nodes = append(src.Nodes, backup.Node{Name: n.Name, Version: n.Version, SHA256: n.SHA256})
	}
	m, err := backup.Write(ctx, src, file)
	if err != nil {
		return environment(fmt.Errorf("backup: %w", err))
	}
	if m.Schema == 0 {
		fmt.Fprintf(c.err, "warning: there is no %s in %s: runs that are in Postgres are backed up with pg_dump, before this\n", sqllog.FileName, printable(*data))
	}
	fmt.Fprintf(c.out, "%d files of %s are in %s; whoever has it can read and write as the accounts in it\n", len(m.Files), printable(*data), printable(file))
	return nil
}

// restoreData creates a data directory from an archive.
func restoreData(ctx context.Context, c console, args []string) error {
	flags := newFlags("restore")
	data, nodes := dataFlag(flags), nodesFlag(flags)
	file, err := oneFile(c, flags, args)
	if err != nil {
		return err
	}
	m, err := backup.Restore(ctx, file, backup.Target{Dir: *data, Database: sqllog.FileName, Meta: sqllog.MetaTable, Schema: sqllog.SchemaVersion()})
	switch {
	case errors.Is(err, backup.ErrArchive):
		return &exit{exitInvalid, err}
	case err != nil:
		return environment(fmt.Errorf("restore: %w", err))
	}
	here := map[string]string{}
	if lock, err := catalog.Load(filepath.Join(*nodes, catalog.LockName)); err == nil {
		for _, n := range lock.Nodes {
			here[n.Name] = n.SHA256
		}
	}
	for _, n := range m.Nodes {
		if here[n.Name] != n.SHA256 {
			fmt.Fprintf(c.err, "warning: node %s was of version %s, and what is in %s is another binary: an older one refuses newer data\n", printable(n.Name), printable(n.Version), printable(*nodes))
		}
	}
	fmt.Fprintf(c.out, "%s is as it was at %s: %d files\n", printable(*data), m.Made.Format("2006-01-02 15:04:05 UTC"), len(m.Files))
	return nil
}
