package pool

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

// againAfter lists the delays before each retry of a copy that a device did not get: four attempts
// over some minutes. After that the device has to ask for it.
var againAfter = []time.Duration{time.Second, 10 * time.Second, time.Minute, 5 * time.Minute}

// maxAgain is how many copies of an instance may wait for a retry.
const maxAgain = 64

// makeGood sends a message to the devices it could not be encrypted for, as soon as WhatsApp
// provides their keys. whatsmeow may already have modified out.Message.
func (i *Instance) makeGood(cli *whatsmeow.Client, devices []types.JID, chat types.JID, out Outgoing) {
	for _, device := range devices {
		r := &events.Receipt{Timestamp: time.Now()}
		r.Chat, r.Sender, r.IsFromMe = chat, device, own(cli, device.User)
		msg := out.Message
		if r.IsFromMe {
			msg = &waE2E.Message{DeviceSentMessage: &waE2E.DeviceSentMessage{DestinationJID: proto.String(chat.String()), Message: msg}}
		}
		body, err := proto.Marshal(msg)
		if err != nil {
			i.log.Error("a message could not be marshalled", "error", redact(err.Error()))
			return
		}
		i.again(copyFor{receipt: r, id: out.ID, body: body, message: out.Message, nodes: out.Nodes})
	}
}

// again retries a copy in the background.
func (i *Instance) again(c copyFor) {
	if i.waiting.Add(1) > maxAgain {
		i.waiting.Add(-1)
		return
	}
	started := i.pool.background(func() {
		defer i.waiting.Add(-1)
		for _, after := range againAfter {
			select {
			case <-time.After(after):
			case <-i.ctx.Done():
				return
			}
			cli, err := i.Client()
			if err != nil {
				continue
			}
			ctx, cancel := context.WithTimeout(i.ctx, retryTimeout)
			err = i.deliver(ctx, cli, c)
			cancel()
			if err == nil {
				return
			}
			i.log.Warn("a device could not be given its copy of a message", "error", redact(err.Error()))
		}
	})
	if !started {
		i.waiting.Add(-1)
	}
}

// background runs fn in a goroutine that Close waits for; false: the pool is closed.
func (p *Pool) background(fn func()) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return false
	}
	p.wg.Go(fn)
	return true
}
