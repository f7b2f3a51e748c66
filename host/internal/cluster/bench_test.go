package cluster

import (
	"context"
	"log/slog"
	"testing"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// BenchmarkCall is what it costs to run a call on another host, beside running it here: TLS, HTTP/2 and two
// documents, on loopback.
func BenchmarkCall(b *testing.B) {
	answer := func(context.Context, client.Request, func(client.Progress)) (client.Result, error) {
		return client.Result{Output: sdk.JSON(`{"messageId":"3EB0C767D82B632A2E4B"}`)}, nil
	}
	m := &Member{log: slog.New(slog.DiscardHandler), opt: Options{Execute: answer}}
	var err error
	if m.peers, err = newPeers([]byte("one secret of all hosts of a test"), m); err != nil {
		b.Fatal(err)
	}
	address, err := m.peers.listen(b.Context(), "127.0.0.1:0", "")
	if err != nil {
		b.Fatal(err)
	}
	defer m.peers.stop(context.WithoutCancel(b.Context())) //nolint:errcheck // it is idle
	r := client.Request{Operation: "whatsapp.sendButtons@1", Key: "k", Input: []byte(`{"instance":"shop","number":"5511999990001","contentText":"How can we help?"}`)}
	b.Run("there", func(b *testing.B) {
		for b.Loop() {
			if _, err := m.Call(b.Context(), Host{Address: address}, r, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("there, 64 at once", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := m.Call(b.Context(), Host{Address: address}, r, nil); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
