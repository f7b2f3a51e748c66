package process_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/tapnode/tapnode/host/internal/catalog"
	"github.com/tapnode/tapnode/host/internal/process"
	"github.com/tapnode/tapnode/sdk/client"
)

// Run a node from nodes.lock, call it, and follow its triggers across restarts.
func Example() {
	ctx := context.Background()
	run := func() error {
		lock, err := catalog.Load(catalog.LockName)
		if err != nil {
			return err
		}
		entry, _ := lock.Find("whatsapp-send-buttons")
		binary, err := entry.Install("data")
		if err != nil {
			return err // says what changed and how to accept it
		}
		sockets, err := process.OpenRunDir("data")
		if err != nil {
			return err
		}
		defer sockets.Close()

		node, err := process.New(process.Spec{
			Name: entry.Name, Path: binary.Path, Accept: entry.Accept,
			StateDir: "data/nodes/" + entry.Name, RunDir: sockets, Logger: slog.Default(),
		})
		if err != nil {
			return err
		}
		node.OnReady(func(ctx context.Context, c *client.Client) {
			// Subscribe to triggers here: once per process, until ctx ends.
		})
		if err := node.Start(ctx); err != nil {
			return err
		}
		stop, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		defer func() { _ = node.Stop(stop) }()

		c, err := node.Client(ctx) // get it anew for every call
		if err != nil {
			return err
		}
		_, err = c.Execute(ctx, client.Request{Operation: "whatsapp.sendText@1", Input: []byte(`{"instance":"shop"}`)}, nil)
		return err
	}
	fmt.Println(run())
}
