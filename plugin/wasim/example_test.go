package wasim_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
	_ "modernc.org/sqlite"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// A whatsmeow client is linked to a shop's number by QR code, sends a menu of two buttons to a customer, and gets the
// customer's click.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	sim, err := wasim.Start(wasim.Options{})
	check(err)
	defer sim.Close()
	sim.Trust()

	shop, err := sim.NewAccount("+55 11 90000-0001", wasim.PushName("Shop"))
	check(err)
	ana, err := sim.NewPhone(ctx, "+55 11 90000-0002", wasim.PushName("Ana"))
	check(err)

	client, seen := newClient(ctx, sim)
	defer client.Disconnect()
	check(client.Connect())
	check(shop.Scan(ctx, next[*events.QR](seen).Codes[0]))
	next[*events.Connected](seen)

	menu, biz := choice("Is Friday fine?", "yes", "no")
	sent, err := client.SendMessage(ctx, ana.JID(), menu, whatsmeow.SendRequestExtra{AdditionalNodes: &biz})
	check(err)

	shown, err := ana.WaitID(ctx, sent.ID)
	check(err)
	fmt.Printf("Ana sees %q with %d buttons\n", shown.Text, len(shown.Buttons))
	_, err = ana.Click(ctx, shown, "yes", wasim.ShapeInteractive)
	check(err)

	click := next[*events.Message](seen)
	for click.Info.IsFromMe { // what the shop's own phone tells its linked devices
		click = next[*events.Message](seen)
	}
	answer := click.Message.GetInteractiveResponseMessage()
	fmt.Println("the shop gets", answer.GetNativeFlowResponseMessage().GetParamsJSON(), "from", click.Info.PushName)
	fmt.Println("for its message:", answer.GetContextInfo().GetStanzaID() == sent.ID)
	// Output:
	// Ana sees "Is Friday fine?" with 2 buttons
	// the shop gets {"id":"yes"} from Ana
	// for its message: true
}

// newClient is a whatsmeow client as any program makes it, led to the simulator by Attach.
func newClient(ctx context.Context, sim *wasim.Server) (*whatsmeow.Client, <-chan any) {
	dir, err := os.MkdirTemp("", "wasim-example-*")
	check(err)
	const pragmas = "?_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_txlock=immediate"
	sessions, err := sqlstore.New(ctx, "sqlite", "file:"+filepath.Join(dir, "sessions.db")+pragmas, nil)
	check(err)
	context.AfterFunc(ctx, func() {
		sessions.Close()
		os.RemoveAll(dir)
	})
	client := whatsmeow.NewClient(sessions.NewDevice(), nil)
	client.BackgroundEventCtx = ctx
	sim.Attach(client)
	seen := make(chan any, 100)
	client.AddEventHandler(func(event any) { seen <- event })
	return client, seen
}

// choice is a text with reply buttons, and the node that makes apps render them.
func choice(body string, ids ...string) (*waE2E.Message, []waBinary.Node) {
	flow := &waE2E.InteractiveMessage_NativeFlowMessage{MessageVersion: proto.Int32(1)}
	for _, id := range ids {
		flow.Buttons = append(flow.Buttons, &waE2E.InteractiveMessage_NativeFlowMessage_NativeFlowButton{
			Name: proto.String("quick_reply"), ButtonParamsJSON: proto.String(fmt.Sprintf(`{"id":%q,"display_text":%q}`, id, id)),
		})
	}
	return &waE2E.Message{InteractiveMessage: &waE2E.InteractiveMessage{
			Body:               &waE2E.InteractiveMessage_Body{Text: proto.String(body)},
			InteractiveMessage: &waE2E.InteractiveMessage_NativeFlowMessage_{NativeFlowMessage: flow},
		}}, []waBinary.Node{{Tag: "biz", Content: []waBinary.Node{{
			Tag: "interactive", Attrs: waBinary.Attrs{"type": "native_flow", "v": "1"},
			Content: []waBinary.Node{{Tag: "native_flow", Attrs: waBinary.Attrs{"v": "9", "name": "mixed"}}},
		}}}}
}

// next returns the next event of a type.
func next[E any](seen <-chan any) E {
	for event := range seen {
		if e, ok := event.(E); ok {
			return e
		}
	}
	panic("unreachable: the channel stays open")
}

// A rule makes the server refuse the first message to one customer, as WhatsApp refuses malformed buttons.
func ExampleServer_AddFault() {
	sim, err := wasim.Start(wasim.Options{})
	check(err)
	defer sim.Close()
	id, err := sim.AddFault(wasim.FaultRule{
		Match:  wasim.FaultMatch{Stage: wasim.StageMessage, Recipient: "5511900000002"},
		Times:  1,
		Action: wasim.Fault{AckError: &wasim.AckError{Code: 479}},
	})
	check(err)
	fmt.Println("rule", id)
	_, err = sim.AddFault(wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageMedia}, Action: wasim.Fault{DropAck: true}})
	fmt.Println(err)
	// Output:
	// rule f1
	// /action/dropAck: has no effect at stage "media"; use it at "message"
}

func check(err error) {
	if err != nil {
		log.Panic(err)
	}
}
