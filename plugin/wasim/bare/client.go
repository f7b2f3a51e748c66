package bare

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// Message is what whatsmeow reports of an incoming message.
type Message = events.Message

// JID is an address, as whatsmeow knows it.
type JID = types.JID

// Node is a part of a stanza.
type Node = waBinary.Node

// Client is one whatsmeow client with whatsmeow's defaults.
type Client struct {
	cli       *whatsmeow.Client
	connected chan struct{} // one token per login
	onMessage atomic.Pointer[func(*Message)]
}

// Pair links a new device to the account and waits until its client is logged in.
func (s *Store) Pair(ctx context.Context, account *wasim.Account) (*Client, error) {
	c := s.client(s.container.NewDevice())
	codes, err := c.cli.GetQRChannel(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.cli.Connect(); err != nil {
		return nil, err
	}
	for item := range codes {
		switch item.Event {
		case whatsmeow.QRChannelEventCode:
			if err := account.Scan(ctx, item.Code); err != nil {
				c.Disconnect()
				return nil, err
			}
		case whatsmeow.QRChannelSuccess.Event:
			// The server ends the connection, and whatsmeow logs in on another.
			return c, c.loggedIn(ctx)
		default:
			c.Disconnect()
			return nil, errors.Join(fmt.Errorf("pairing ended with %s", item.Event), item.Error)
		}
	}
	c.Disconnect()
	return nil, errors.New("the code was not scanned in time")
}

// Connect connects a paired client and waits until it is logged in.
func (c *Client) Connect(ctx context.Context) error {
	if err := c.cli.ConnectContext(ctx); err != nil {
		return err
	}
	return c.loggedIn(ctx)
}

func (c *Client) loggedIn(ctx context.Context) error {
	select {
	case <-c.connected:
		return nil
	case <-ctx.Done():
		c.Disconnect()
		return fmt.Errorf("wait for the login: %w", ctx.Err())
	}
}

// Number is the phone number of the account, digits only.
func (c *Client) Number() string { return c.cli.Store.GetJID().User }

// Disconnect takes the client offline; it stays paired.
func (c *Client) Disconnect() { c.cli.Disconnect() }

// OnMessage makes whatsmeow call f for every message from now on, on its own goroutine.
func (c *Client) OnMessage(f func(*Message)) { c.onMessage.Store(&f) }

func (c *Client) handle(raw any) {
	switch ev := raw.(type) {
	case *events.Connected:
		select {
		case c.connected <- struct{}{}:
		default:
		}
	case *events.Message:
		if f := c.onMessage.Load(); f != nil {
			(*f)(ev)
		}
	}
}

// Send sends a message with additional stanza nodes, and returns its id when the server has
// acknowledged it. whatsmeow may modify the message.
func (c *Client) Send(ctx context.Context, to types.JID, m *waE2E.Message, nodes []waBinary.Node) (types.MessageID, error) {
	var extra whatsmeow.SendRequestExtra
	if len(nodes) > 0 {
		extra.AdditionalNodes = &nodes
	}
	resp, err := c.cli.SendMessage(ctx, to, m, extra)
	return resp.ID, err
}

// Greet is like Send, but first asks WhatsApp for the account of a number (digits).
func (c *Client) Greet(ctx context.Context, number string, m *waE2E.Message, nodes []waBinary.Node) (types.MessageID, error) {
	to, err := c.Find(ctx, number)
	if err != nil {
		return "", err
	}
	return c.Send(ctx, to, m, nodes)
}

// Find asks WhatsApp for the account of a number.
func (c *Client) Find(ctx context.Context, number string) (types.JID, error) {
	found, err := c.cli.IsOnWhatsApp(ctx, []string{"+" + number})
	if err == nil && (len(found) != 1 || !found[0].IsIn) {
		err = errors.New("the number is not on WhatsApp")
	}
	if err != nil {
		return types.JID{}, err
	}
	return found[0].JID, nil
}

// Illustrate uploads a picture and makes it the header of the menu in m.
func (c *Client) Illustrate(ctx context.Context, m *waE2E.Message, picture []byte) error {
	header := m.GetInteractiveMessage().GetHeader().GetImageMessage()
	if header == nil {
		return errors.New("the message has no picture above a menu")
	}
	up, err := c.cli.Upload(ctx, slices.Clip(picture), whatsmeow.MediaImage) // Upload pads in place if the slice has spare capacity
	if err != nil {
		return err
	}
	header.URL, header.DirectPath, header.MediaKey = &up.URL, &up.DirectPath, up.MediaKey
	header.FileSHA256, header.FileEncSHA256, header.FileLength = up.FileSHA256, up.FileEncSHA256, &up.FileLength
	return nil
}
