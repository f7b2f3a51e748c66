package wasim

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Options configure a Server. Zero members take the defaults.
type Options struct {
	// Listen is the address to listen on, "127.0.0.1:0" by default. Only loopback addresses are accepted: there is no
	// authentication, and anyone who can reach the server can act as any customer.
	Listen string
	// Logger gets one line per noteworthy event, without phone numbers or message content. By default nothing is
	// logged.
	Logger *slog.Logger
	Limits Limits
	// CloseGrace is how long a connection stays open after its last stanza, so that the client can handle it:
	// whatsmeow loses a <failure> when the socket closes immediately after it. Default 250 ms; negative closes at once.
	CloseGrace time.Duration
	// Revision is the last of the three numbers of the WhatsApp Web version that the page at / announces. 0: the one
	// built into whatsmeow.
	Revision uint32
	// Oldest is the oldest revision that may log in or pair; older clients are refused as outdated (405). 0: any.
	Oldest uint32
	// OnFault is called before the rules of AddFault at every stage; the zero Fault means «carry on». It must neither
	// block nor call the server, its accounts or devices, because a device is locked during the call.
	OnFault func(FaultEvent) Fault
}

// Limits bound what a Server keeps. Zero members take the defaults given below.
type Limits struct {
	Accounts    int // numbers, 20,000
	Devices     int // linked devices of one account, 32
	Connections int // at once, 20,000
	Frame       int // bytes of one incoming frame, 4 MiB
	PreKeys     int // one-time keys kept per device, 5,000
	Queue       int // stanzas queued for one device, 20,000; further ones are dropped and counted (Server.Lost)
	Window      int // stanzas sent to a device and not yet acknowledged, 1,024
	Frames      int // frames queued for one socket, 4,096; a client that lets the queue fill is disconnected
	Stanzas     int // recorded stanzas, 4,096; the oldest are dropped first
	Messages    int // recorded messages, 16,384; the oldest are dropped first
	Inbox       int // messages a Phone shows, 10,000; the oldest are dropped first
}

func (o Options) withDefaults() (Options, error) {
	o.Listen = cmp.Or(o.Listen, "127.0.0.1:0")
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return o, fmt.Errorf("listen address %q: %w", o.Listen, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return o, fmt.Errorf("listen address %q is not loopback; use 127.0.0.1:PORT", o.Listen)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Revision = cmp.Or(o.Revision, builtIn)
	o.CloseGrace = max(cmp.Or(o.CloseGrace, 250*time.Millisecond), 0)
	l := &o.Limits
	l.Accounts = cmp.Or(l.Accounts, 20_000)
	l.Devices = cmp.Or(l.Devices, 32)
	l.Connections = cmp.Or(l.Connections, 20_000)
	l.Frame = cmp.Or(l.Frame, 4<<20)
	l.PreKeys = cmp.Or(l.PreKeys, 5_000)
	l.Queue = cmp.Or(l.Queue, 20_000)
	l.Window = cmp.Or(l.Window, 1_024)
	l.Frames = cmp.Or(l.Frames, 4_096)
	l.Stanzas = cmp.Or(l.Stanzas, 4_096)
	l.Messages = cmp.Or(l.Messages, 16_384)
	l.Inbox = cmp.Or(l.Inbox, 10_000)
	return o, nil
}
