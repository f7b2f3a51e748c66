package pool

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/internal/leaktest"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/session"
	"github.com/tapnode/tapnode/plugin/wasim"
)

func TestMain(m *testing.M) {
	// For TestDeadLineIsNoticed. whatsmeow's goroutines read them at any time, so they are set once for
	// all tests.
	whatsmeow.KeepAliveIntervalMin, whatsmeow.KeepAliveIntervalMax, whatsmeow.KeepAliveResponseDeadline = 2*time.Second, 3*time.Second, time.Second
	leaktest.Main(m, nil)
}

// TestUnstoredMessageComesAgain: WhatsApp keeps a message until OnMessage has stored it, although it
// can be decrypted only once.
func TestUnstoredMessageComesAgain(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	sim, err := wasim.Start(wasim.Options{})
	must(t, err)
	defer sim.Close()
	server, err := ParseServer(sim.URL(), sim.RootKey())
	must(t, err)
	s, err := store.Open(ctx, store.Options{Dir: t.TempDir()})
	must(t, err)
	defer s.Close()

	texts, broken := make(chan string, 10), true
	p, err := Open(ctx, Options{
		Registry: s.Registry, Devices: s.Devices, Storage: s.DB.Monitor(nil), Server: server, Log: slog.New(slog.DiscardHandler),
		OnMessage: func(_ context.Context, _ *Instance, m *events.Message, _ *session.Decryption) (func() error, error) {
			text := m.Message.GetConversation()
			if text == "" {
				return nil, nil
			}
			texts <- text
			if broken {
				return nil, errors.New("the disk is full")
			}
			return nil, nil
		},
		Find: func(context.Context, string, types.JID, types.MessageID) (*Sent, error) { return nil, nil },
	})
	must(t, err)
	defer func() { must(t, p.Close(ctx)) }()

	account, err := sim.NewAccount("551130000001")
	must(t, err)
	ana, err := sim.NewPhone(ctx, "5511988880001")
	must(t, err)
	i, err := p.Create(ctx, "shop")
	must(t, err)
	must(t, i.Connect(ctx, "", func(step Prompt) {
		if step.Stage == StageQR {
			go func() {
				if err := account.Scan(ctx, step.QR); err != nil {
					t.Error(err)
				}
			}()
		}
	}))

	_, err = ana.SendText(ctx, account.LID(), "hello")
	must(t, err)
	await(t, ctx, texts, "hello")
	if _, err := i.await(ctx, func(s Status) bool { return s.Trouble != nil && s.Trouble.Code == codeStorage }); err != nil {
		t.Errorf("the trouble was not told: %+v", i.Status())
	}
	device := account.Linked()[0]
	if device.Pending() == 0 {
		t.Error("the message was acknowledged")
	}
	broken = false // no handler runs at this point: the message waits at the server
	device.Drop()
	await(t, ctx, texts, "hello")
	_, err = ana.SendText(ctx, account.LID(), "bye")
	must(t, err)
	await(t, ctx, texts, "bye")
}

func await(t *testing.T, ctx context.Context, texts <-chan string, want string) {
	t.Helper()
	select {
	case got := <-texts:
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	case <-ctx.Done():
		t.Fatalf("%q never came", want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
