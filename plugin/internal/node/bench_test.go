package node

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// BenchmarkSend compares one warm send through the node, from the host's Execute to its answer,
// ledger and menu included, with whatsmeow alone on its own store under the same durability
// (SQLite, WAL, synchronous=FULL). Read the ratio, and compare only figures of the same run: the
// simulator works in this process too.
func BenchmarkSend(b *testing.B) {
	old := slog.SetLogLoggerLevel(slog.LevelError)
	defer slog.SetLogLoggerLevel(old)
	sim, err := wasim.Start(wasim.Options{})
	check(b, err)
	defer sim.Close()
	sim.Trust()
	_, err = sim.NewAccount(anaNumber) // the server plays its phone
	check(b, err)
	input := fmt.Appendf(nil, `{"instance":"shop","number":%q,"contentText":"How can we help?","buttons":[{"id":"sales","displayText":"Talk to sales"},{"id":"support","displayText":"Support"}]}`, anaNumber)

	node := benchNode(b, sim)
	bare := bareClient(b, sim)
	request, _ := buttons.Parse(input)
	sides := []struct {
		name string
		send func(ctx context.Context, i int)
	}{
		{"node", func(ctx context.Context, i int) {
			_, err := node.Execute(ctx, client.Request{Operation: send.OpButtons, Input: input, Key: fmt.Sprint(time.Now().UnixNano(), i)}, nil)
			check(b, err)
		}},
		{"bare", func(ctx context.Context, _ int) {
			m, nodes := buttons.Direct.Encode(request, buttons.Send{})
			_, err := bare.SendMessage(ctx, types.NewJID(anaNumber, types.DefaultUserServer), m, whatsmeow.SendRequestExtra{AdditionalNodes: &nodes})
			check(b, err)
		}},
	}
	for _, side := range sides {
		side.send(b.Context(), -1) // the session and the number are known from now on
	}
	for _, side := range sides {
		b.Run(side.name, func(b *testing.B) {
			var took []time.Duration
			before := cpuTime(b)
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				side.send(b.Context(), i)
				took = append(took, time.Since(start))
			}
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
		})
	}
}

func benchNode(b *testing.B, sim *wasim.Server) *client.Client {
	c, stop, err := client.Local(New())
	check(b, err)
	b.Cleanup(stop)
	check(b, c.Configure(b.Context(), sdk.Setup{Settings: []byte(settingsFor(sim)), StateDir: b.TempDir()}))
	_, err = c.Execute(b.Context(), client.Request{Operation: "whatsapp.instance.create@1", Input: []byte(`{"instance":"shop"}`)}, nil)
	check(b, err)
	account, err := sim.NewAccount(shopNumber)
	check(b, err)
	_, err = c.Execute(b.Context(), client.Request{Operation: "whatsapp.instance.connect@1", Input: []byte(`{"instance":"shop"}`)}, func(p client.Progress) {
		var step struct{ QR string }
		if p.Stage == "qr" && json.Unmarshal(p.Data, &step) == nil {
			go func() {
				if err := account.Scan(b.Context(), step.QR); err != nil {
					b.Error(err)
				}
			}()
		}
	})
	check(b, err)
	return c
}

// bareClient is whatsmeow as its documentation sets it up.
func bareClient(b *testing.B, sim *wasim.Server) *whatsmeow.Client {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "bare.db")+
		"?_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_pragma=synchronous(FULL)&_txlock=immediate")
	check(b, err)
	b.Cleanup(func() { db.Close() })
	container := sqlstore.NewWithDB(db, "sqlite3", waLog.Noop)
	check(b, container.Upgrade(b.Context()))
	cli := whatsmeow.NewClient(container.NewDevice(), waLog.Noop)
	cli.ManualHistorySyncDownload = true
	sim.Attach(cli)
	connected := make(chan struct{}, 1)
	cli.AddEventHandler(func(evt any) {
		if _, ok := evt.(*events.Connected); ok {
			connected <- struct{}{}
		}
	})
	account, err := sim.NewAccount("551130000002")
	check(b, err)
	codes, err := cli.GetQRChannel(b.Context())
	check(b, err)
	check(b, cli.Connect())
	b.Cleanup(cli.Disconnect)
	for item := range codes {
		if item.Event == whatsmeow.QRChannelEventCode {
			check(b, account.Scan(b.Context(), item.Code))
		}
	}
	<-connected
	return cli
}

// cpuTime is the processor time of this process, which other programs on the machine disturb less
// than the elapsed time.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	check(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
