package node

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// BenchmarkClicks measures clicks that have gathered at the server while it held them back:
// decrypted, matched, stored, given to a host and acknowledged by it.
func BenchmarkClicks(b *testing.B) { benchTaps(b, benchClicks) }

// BenchmarkClick is the same for one click at a time.
func BenchmarkClick(b *testing.B) {
	benchTaps(b, func(b *testing.B, _ *wasim.Server, phone *wasim.Phone, menu wasim.Message, sub *client.Subscription) {
		for b.Loop() {
			_, err := phone.Click(b.Context(), menu, "sales", "")
			check(b, err)
			ev, err := sub.Recv()
			check(b, err)
			check(b, sub.Ack(ev.Sequence))
		}
	})
}

func benchTaps(b *testing.B, taps func(*testing.B, *wasim.Server, *wasim.Phone, wasim.Message, *client.Subscription)) {
	old := slog.SetLogLoggerLevel(slog.LevelError)
	defer slog.SetLogLoggerLevel(old)
	sim, err := wasim.Start(wasim.Options{})
	check(b, err)
	defer sim.Close()
	sim.Trust()
	node := benchNode(b, sim)
	ana, err := sim.NewPhone(b.Context(), anaNumber)
	check(b, err)
	_, err = node.Execute(b.Context(), client.Request{Operation: send.OpButtons, Input: fmt.Appendf(nil,
		`{"instance":"shop","number":%q,"contentText":"How can we help?","buttons":[{"id":"sales","displayText":"Talk to sales"}]}`, anaNumber)}, nil)
	check(b, err)
	menu, err := ana.Wait(b.Context(), func(m wasim.Message) bool { return len(m.Buttons) > 0 })
	check(b, err)

	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	// The other trigger has a subscriber as well, as with a real host.
	for _, operation := range []string{opMessageReceived, opButtonClick} {
		sub, err := node.Subscribe(ctx, client.Start{Operation: operation, Subscriber: "bench"})
		check(b, err)
		if operation == opButtonClick {
			taps(b, sim, ana, menu, sub)
		}
	}
}

func benchClicks(b *testing.B, sim *wasim.Server, phone *wasim.Phone, menu wasim.Message, sub *client.Subscription) {
	shop := sim.Account(shopNumber).Linked()[0]
	shop.Hold(true)
	for range b.N {
		_, err := phone.Click(b.Context(), menu, "sales", "")
		check(b, err)
	}
	b.ResetTimer()
	shop.Hold(false)
	for range b.N {
		ev, err := sub.Recv()
		check(b, err)
		check(b, sub.Ack(ev.Sequence))
	}
}
