//go:build linux

// Command badnode is a node that misbehaves on demand, for testing hosts: it sets every trap that a
// stock go-plugin host is known to fall into.
//
//	PLUGIN_BADNODE=WHEN:WHAT[,WHEN:WHAT]…   or the same as the first argument
//
// WHEN is start (before the handshake) or configure (in Configure). WHAT is a name below. The
// operation bad.do@1 does the same during a call, {"what": WHAT}; bad.echo@1 behaves; bad.flood@1
// is a trigger with endless events. Without instructions it is a good node. Everything that hangs
// gives up after ten minutes, so that a failed test leaves nothing behind.
//
//	print         a line on stdout, past the SDK's guard
//	long-stdout   1 MiB without a newline on stdout
//	long-stderr   1 MiB without a newline on stderr
//	bad-log       a log line whose @message is a number, and half a JSON object
//	flood-log     100 000 lines on stderr
//	hang          never returns, whatever the context says
//	exit          exits with code 3, without a message
//	crash         panics in a goroutine of its own: text on stderr, exit code 2
//	panic         panics in the calling goroutine
//	stop          sends SIGSTOP to itself: alive and silent
//	grandchild    leaves a child that holds stdout and stderr
//	deaf          ignores SIGTERM and the end of stdin (the latter only with start)
//	unlink        removes its socket
//	large         answers with 5 MiB (in a call)
//	huge          answers with 17 MiB, more than a message may have (in a call)
//	progress      reports 100 000 times (in a call)
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

type doing struct {
	What string `json:"what"`
}

type echo struct {
	Text string `json:"text"`
}

func main() {
	if os.Getenv(grandchildEnv) != "" {
		time.Sleep(time.Minute)
		return
	}
	orders := os.Getenv("PLUGIN_BADNODE")
	if len(os.Args) > 1 && strings.Contains(os.Args[1], ":") {
		orders = os.Args[1]
		os.Args = os.Args[:1]
	}
	obey(orders, "start")
	sdk.Main(node(orders))
}

func node(orders string) *sdk.Node {
	return &sdk.Node{
		Name: "badnode", Version: "1.0.0", Title: "A node that misbehaves on demand",
		Configure: func(context.Context, sdk.Setup) error {
			obey(orders, "configure")
			return nil
		},
		Operations: []sdk.Offer{
			sdk.Action[echo, echo]{
				ID: "bad.echo@1", Title: "Echo", Replay: sdk.Pure,
				Input:  []byte(`{"type":"object","properties":{"text":{"type":"string"}},"additionalProperties":false}`),
				Output: []byte(`{"type":"object"}`),
				Run:    func(_ context.Context, _ *sdk.Call, in echo) (echo, error) { return in, nil },
			},
			sdk.Action[doing, echo]{
				ID: "bad.do@1", Title: "Misbehave",
				Input:  []byte(`{"type":"object","properties":{"what":{"type":"string"}},"required":["what"],"additionalProperties":false}`),
				Output: []byte(`{"type":"object"}`),
				Run:    do,
			},
			sdk.Trigger{ID: "bad.flood@1", Title: "Flood", Open: openFlood,
				Events: []sdk.EventType{{Type: "bad.flooded.v1", Schema: []byte(`{"type":"object"}`)}}},
		},
	}
}

func obey(orders, when string) {
	for order := range strings.SplitSeq(orders, ",") {
		if at, what, _ := strings.Cut(order, ":"); at == when {
			misdeed(what)
		}
	}
}

func do(_ context.Context, call *sdk.Call, in doing) (echo, error) {
	switch in.What {
	case "large":
		return echo{strings.Repeat("a", 5<<20)}, nil
	case "huge":
		return echo{strings.Repeat("a", 17<<20)}, nil
	case "progress":
		for i := range 100_000 {
			call.Progress("flood", fmt.Sprint(i), nil)
		}
	default:
		misdeed(in.What)
	}
	return echo{in.What}, nil
}
