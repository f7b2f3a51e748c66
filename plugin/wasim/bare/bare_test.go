package bare_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/plugin/wasim/bare"
)

func TestClient(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	sim, err := wasim.Start(wasim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	store, err := bare.Open(ctx, bare.Options{
		File: filepath.Join(t.TempDir(), "bare.db"), Sync: bare.Full, Server: sim.URL(), RootKey: sim.RootKey(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	account, err := sim.NewAccount("551130000001")
	if err != nil {
		t.Fatal(err)
	}
	phone, err := sim.NewPhone(ctx, "5511988880001")
	if err != nil {
		t.Fatal(err)
	}
	paired, err := store.Pair(ctx, account)
	if err != nil {
		t.Fatal(err)
	}
	paired.Disconnect()

	clients, err := store.Clients(ctx)
	if err != nil || len(clients) != 1 {
		t.Fatalf("%d clients, want the one that was paired: %v", len(clients), err)
	}
	client := clients[0]
	got := make(chan string, 1)
	client.OnMessage(func(m *bare.Message) {
		if text := m.Message.GetConversation(); text != "" { // the account's keys come as messages, too
			got <- text
		}
	})
	if err := client.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect()
	greeting := &waE2E.Message{Conversation: proto.String("good day")}
	if _, err := client.Greet(ctx, "5511988880001", greeting, nil); err != nil {
		t.Error(err)
	}
	if _, err := phone.Wait(ctx, func(m wasim.Message) bool { return m.Text == "good day" }); err != nil {
		t.Error(err)
	}
	if id, err := client.Greet(ctx, "5511900000000", greeting, nil); err == nil {
		t.Errorf("%s went to nobody", id)
	}
	id, err := client.Send(ctx, phone.JID(), &waE2E.Message{Conversation: proto.String("hello")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := phone.WaitID(ctx, id); err != nil || m.Text != "hello" {
		t.Fatalf("the phone shows %q: %v", m.Text, err)
	}
	if _, err := phone.SendText(ctx, account.JID(), "hello back"); err != nil {
		t.Fatal(err)
	}
	select {
	case text := <-got:
		if text != "hello back" {
			t.Errorf("the client got %q", text)
		}
	case <-ctx.Done():
		t.Error("the client got no message")
	}
}
