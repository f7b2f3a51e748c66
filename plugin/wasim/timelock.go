package wasim

import (
	"fmt"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// LockNewChats tells the account's linked devices that WhatsApp locks new chats until
// a time, or, with the zero time, that it does not any more. The server itself goes on
// relaying: add a fault with the ack error 463 to have messages refused.
func (a *Account) LockNewChats(until time.Time) {
	lock := `"is_active":false`
	if !until.IsZero() {
		lock = fmt.Sprintf(`"is_active":true,"enforcement_type":"RESTRICT_ALL_COMPANIONS","time_enforcement_ends":"%d"`, until.Unix())
	}
	for _, d := range a.Linked() {
		d.notify("mex", types.ServerJID, nil, waBinary.Node{
			Tag: "update", Attrs: waBinary.Attrs{"op_name": "NotificationAccountReachoutTimelockUpdate"},
			Content: []byte(`{"data":{"xwa2_notify_account_reachout_timelock":{` + lock + `}}}`),
		})
	}
}
