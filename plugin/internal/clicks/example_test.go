package clicks_test

import (
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/clicks"
)

// A tap quotes its menu, so a newer menu with the same button id does not match.
func ExampleCorrelate() {
	ana := types.NewJID("123456789012345", types.HiddenUserServer)
	monday := time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)
	yes := []buttons.Button{{ID: "yes", DisplayText: "Yes"}}
	menus := []clicks.Menu{
		{MessageID: "3EB0MON", Chat: []string{ana.String()}, SentAt: monday, Correlation: "order 17", Buttons: yes},
		{MessageID: "3EB0TUE", Chat: []string{ana.String()}, SentAt: monday.AddDate(0, 0, 1), Correlation: "order 18", Buttons: yes},
	}
	tap := &waE2E.Message{ButtonsResponseMessage: &waE2E.ButtonsResponseMessage{
		SelectedButtonID: proto.String("yes"),
		ContextInfo:      &waE2E.ContextInfo{StanzaID: proto.String("3EB0MON")},
	}}
	info := types.MessageInfo{ID: "3A1F", MessageSource: types.MessageSource{Chat: ana, Sender: ana}}

	click := *clicks.Read(tap, info).Click
	match := clicks.Correlate(click, menus)
	fmt.Println(match.Button().DisplayText, "to", match.Menu.Correlation, "by", match.MatchedBy)
	// Output: Yes to order 17 by quote
}
