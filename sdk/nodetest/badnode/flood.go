//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// flood is a reader that always has one more event.
type flood struct{ n int }

func openFlood(context.Context, sdk.Subscription) (sdk.Reader, error) { return &flood{}, nil }

func (f *flood) Resumed() bool { return true }

func (f *flood) Next(ctx context.Context) (sdk.Event, error) {
	f.n++
	id := fmt.Sprint(f.n)
	return sdk.Event{ID: id, Type: "bad.flooded.v1", Time: time.Now(), Data: sdk.JSON(`{"n":` + id + `}`), Cursor: []byte(id)}, ctx.Err()
}

func (f *flood) Ack(context.Context, []byte) error { return nil }
func (f *flood) Close() error                      { return nil }
