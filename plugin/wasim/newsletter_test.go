package wasim_test

import (
	"bytes"
	"errors"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// A channel's owner posts a text and a picture; a follower reads both, in the clear, and cannot post.
func TestNewsletter(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p, stranger := customer(t, s, "5511988880001"), customer(t, s, "5511988880002")
	ctx := within(t)
	n, err := s.NewNewsletter("Offers", b.account, p.Account())
	if err != nil {
		t.Fatal(err)
	}
	sent, err := b.cli.SendMessage(ctx, n.JID(), &waE2E.Message{Conversation: proto.String("Two for one")})
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.WaitID(ctx, sent.ID)
	if err != nil || m.Chat != n.JID() || m.Text != "Two for one" || m.Biz != 0 {
		t.Errorf("the follower reads %+v, %v", m, err)
	}

	picture := []byte("not really a picture")
	up, err := b.cli.UploadNewsletter(ctx, picture, whatsmeow.MediaImage)
	if err != nil {
		t.Fatal(err)
	}
	image := &waE2E.ImageMessage{
		Caption: proto.String("Look"), Mimetype: proto.String("image/png"), URL: &up.URL, DirectPath: &up.DirectPath,
		FileSHA256: up.FileSHA256, FileLength: &up.FileLength,
	}
	second, err := b.cli.SendMessage(ctx, n.JID(), &waE2E.Message{ImageMessage: image}, whatsmeow.SendRequestExtra{MediaHandle: up.Handle})
	if err != nil {
		t.Fatal(err)
	}
	if m, err = p.WaitID(ctx, second.ID); err != nil || m.Text != "Look" {
		t.Fatalf("the follower reads %+v, %v", m, err)
	}
	if data, err := p.Client().Download(ctx, m.Message.GetImageMessage()); err != nil || !bytes.Equal(data, picture) {
		t.Errorf("the follower opens the picture: %d bytes, %v", len(data), err)
	}

	posts := n.Posts()
	if len(posts) != 2 || sent.ServerID != posts[0].ServerID || posts[0].Message.GetConversation() != "Two for one" ||
		posts[1].ServerID != 2 || posts[1].MediaID != up.Handle || posts[1].Type != "media" || posts[1].From != b.account.Linked()[0].JID() {
		t.Errorf("posts = %+v", posts)
	}
	for _, other := range []*wasim.Phone{p, stranger} {
		if _, err := other.SendText(ctx, n.JID(), "me too"); !errors.Is(err, whatsmeow.ErrServerReturnedError) {
			t.Errorf("a post by somebody who is no admin: %v", err)
		}
	}
	n.Promote(p.Account())
	n.Follow(stranger.Account())
	id, err := p.SendText(ctx, n.JID(), "from an admin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.WaitID(ctx, id); err != nil {
		t.Error(err)
	}
	if _, err := p.SendText(ctx, types.NewJID("120363000000000000", types.NewsletterServer), "?"); !errors.Is(err, whatsmeow.ErrServerReturnedError) {
		t.Errorf("a post to a channel that is not there: %v", err)
	}
	noUnhandled(t, s)
}

// The queries by which a client finds the channels it may post to.
func TestNewsletterQueries(t *testing.T) {
	s := start(t, wasim.Options{})
	owner, reader := customer(t, s, "5511988880001"), customer(t, s, "5511988880002")
	ctx := within(t)
	n, err := s.NewNewsletter("Offers", owner.Account(), reader.Account())
	if err != nil {
		t.Fatal(err)
	}
	for phone, role := range map[*wasim.Phone]types.NewsletterRole{owner: types.NewsletterRoleOwner, reader: types.NewsletterRoleSubscriber} {
		list, err := phone.Client().GetSubscribedNewsletters(ctx)
		if err != nil || len(list) != 1 || list[0].ID != n.JID() || list[0].ViewerMeta.Role != role {
			t.Errorf("channels of the %s: %+v, %v", role, list, err)
		}
	}
	info, err := reader.Client().GetNewsletterInfo(ctx, n.JID())
	if err != nil || info.ThreadMeta.Name.Text != "Offers" || info.ThreadMeta.SubscriberCount != 2 || info.State.Type != types.NewsletterStateActive {
		t.Errorf("info = %+v, %v", info, err)
	}
	if _, err := reader.Client().GetNewsletterInfo(ctx, types.NewJID("1", types.NewsletterServer)); err == nil {
		t.Error("there is info about a channel that is not there")
	}
}
