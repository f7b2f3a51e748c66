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
	// authentication, and whoever reaches the server can be any customer.
	Listen string
	// Logger gets one line per noteworthy event, without numbers and without content. Nothing by default.
	Logger *slog.Logger
	Limits Limits
	// CloseGrace is how long a connection stays open behind its last stanza, for the client to handle it: whatsmeow
	// forgets a <failure> when the socket closes right behind it. Default 250 ms; negative closes at once.
	CloseGrace time.Duration
	// Revision is the WhatsApp Web version that the page at / announces, the last of its three numbers. 0: the one
	// whatsmeow has built in.
	Revision uint32
	// Oldest is the oldest such revision that may log in or pair; older clients are refused as outdated (405). 0: any.
	Oldest uint32
	// OnFault is asked before the rules of AddFault at every stage; the zero Fault is «carry on». It must neither block
	// nor call the server, its accounts or devices: a device is locked while it is asked.
	OnFault func(FaultEvent) Fault
}

// Limits bound what a Server keeps. Zero members take the defaults given.
type Limits struct {
	Accounts    int // numbers, 20,000
	Devices     int // linked devices of one account, 32
	Connections int // at once, 20,000
	Frame       int // bytes of one incoming frame, 4 MiB
	PreKeys     int // one-time keys kept per device, 5,000
	Queue       int // stanzas that wait for one device, 20,000; the ones behind are lost, and counted
	Window      int // stanzas sent to a device and not yet acknowledged, 1,024
	Frames      int // frames that wait for one socket, 4,096; a client that lets it fill is disconnected
	Stanzas     int // recorded stanzas, 4,096; the oldest make room
	Messages    int // recorded messages, 16,384; the oldest make room
	Inbox       int // messages a Phone shows, 10,000; the oldest make room
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
