package app

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"

	"go.uber.org/goleak"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/process"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// noLeaks fails the test if it leaves goroutines, apart from whatsmeow's readers of closed
// connections, which end a little later.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("go.mau.fi/whatsmeow/socket.(*FrameSocket).frameComplete"))
	})
}

func TestStopBeforeStartAndTwice(t *testing.T) {
	noLeaks(t)
	a, _ := open(t, askAndAnswer)
	stop(t, a)
	stop(t, a)
}

// TestCallWithoutANode: a call without a running node fails and reports that nothing was sent.
func TestCallWithoutANode(t *testing.T) {
	a, _ := open(t, askAndAnswer)
	t.Cleanup(func() { stop(t, a) })
	_, err := a.Execute(t.Context(), client.Request{Operation: "whatsapp.sendText@1", Input: []byte(`{}`)}, nil)
	var p *sdk.Problem
	if !errors.As(err, &p) || p.Code != "node_unavailable" || p.Effect != sdk.EffectNone || !p.Retryable || !errors.Is(err, process.ErrStopped) {
		t.Errorf("got %#v", err)
	}
	// Among several hosts the node must not be taken for one that does not share its instances,
	// since it may refuse a call without a lease.
	for _, n := range a.nodes {
		if _, err := n.isShared(t.Context()); !errors.Is(err, process.ErrStopped) {
			t.Errorf("whether it is shared: %v", err)
		}
	}
}

func TestStopTwice(t *testing.T) {
	noLeaks(t)
	a, _ := open(t, askAndAnswer)
	start(t, a) // start also stops it at the end, for the second time
	stop(t, a)
}

// TestStartThatFails starts a node that refuses its settings: the host accepts work without it and
// reports which one is missing. Nothing is left after Stop.
func TestStartThatFails(t *testing.T) {
	noLeaks(t)
	a, _ := open(t, askAndAnswer, func(o *Options) {
		o.Settings = map[string]json.RawMessage{"whatsapp-send-buttons": json.RawMessage(`{"encoder":{"profile":"none"}}`)}
	})
	if err := a.Start(t.Context()); !errors.Is(err, ErrNode) || !strings.Contains(err.Error(), "/encoder/profile") {
		t.Errorf("started with settings that are wrong: %v", err)
	}
	r := a.Ready()
	if !r.Ready || len(r.Nodes) != 1 || r.Nodes[0].Name != "whatsapp-send-buttons" || r.Nodes[0].State != string(process.Quarantined) ||
		!strings.Contains(r.Nodes[0].Reason, "/encoder/profile") {
		t.Errorf("readiness: %+v", r)
	}
	if _, err := a.Engine.Run(t.Context(), engine.Request{Flow: "ask"}); err != nil {
		t.Errorf("a run without the node: %v", err)
	}
	stop(t, a)
	if r := a.Ready(); r.Ready || r.Reason == "" {
		t.Errorf("after the stop: %+v", r)
	}
}

func TestStartCancelled(t *testing.T) {
	noLeaks(t)
	a, _ := open(t, askAndAnswer)
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if err := a.Start(ctx); err == nil {
		t.Error("started without any time for it")
	}
	stop(t, a)
}

// TestSecretsTravelApart gives the node its database in the settings document, as users
// write it: the schema says that it is a secret.
func TestSecretsTravelApart(t *testing.T) {
	dsn := sqldbtest.Postgres(t)
	a, s := open(t, askAndAnswer, func(o *Options) {
		var settings map[string]any
		if err := json.Unmarshal(o.Settings["whatsapp-send-buttons"], &settings); err != nil {
			t.Fatal(err)
		}
		settings = maps.Clone(settings)
		settings["store"] = map[string]string{"dsn": dsn}
		raw, err := json.Marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		o.Settings["whatsapp-send-buttons"] = raw
	})
	start(t, a)
	instance := "secret" + strings.ToLower(time.Now().Format("150405"))
	if err := s.Connect(t.Context(), a.Execute, instance); err != nil {
		t.Fatal(err)
	}
	input := json.RawMessage(`{"instance":"` + instance + `"}`)
	if _, err := a.Execute(t.Context(), client.Request{Operation: "whatsapp.instance.logout@1", Input: input}, nil); err != nil {
		t.Error(err)
	}
	if found := sqliteFiles(t, a.opt.DataDir); len(found) > 0 {
		t.Errorf("the node has files of SQLite: %v", found)
	}
}

func sqliteFiles(t *testing.T, dir string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".db") || strings.HasSuffix(path, ".sqlite") {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
