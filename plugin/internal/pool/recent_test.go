package pool

import (
	"runtime"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// TestRoomForRecentMessages checks the map in whatsmeow that the pool shrinks, because another version
// of whatsmeow may name it differently.
func TestRoomForRecentMessages(t *testing.T) {
	clients := make([]*whatsmeow.Client, 200)
	for i := range clients {
		clients[i] = whatsmeow.NewClient(&wastore.Device{}, nil)
	}
	before := inUse()
	for _, cli := range clients {
		remembersNothing(cli)
	}
	if saved := (before - inUse()) / int64(len(clients)); saved < 32<<10 {
		t.Errorf("a client needs %d bytes less, want 40 KiB", saved)
	}
	runtime.KeepAlive(clients)
}

func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // below 2^63
}

func TestForgetSent(t *testing.T) {
	cli := whatsmeow.NewClient(&wastore.Device{}, nil)
	remembersNothing(cli)
	in, chat := cli.DangerousInternals(), types.NewJID("1", types.HiddenUserServer)
	for range 2 { // a repeat has the same id
		if err := in.AddRecentMessage(t.Context(), chat, "A", &waE2E.Message{Conversation: proto.String("hello")}, nil); err != nil {
			t.Fatal(err)
		}
		if in.GetRecentMessage(chat, "A").IsEmpty() {
			t.Error("a message that is on its way is not there")
		}
		if forgetSent(t.Context(), cli, chat, "A"); !in.GetRecentMessage(chat, "A").IsEmpty() {
			t.Error("a message that has left is kept")
		}
	}
}
