package wasim

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// Newsletter is a channel: its admins post, its followers read. Nothing in it is encrypted.
type Newsletter struct {
	s       *Server
	jid     types.JID
	name    string
	owner   *Account
	created time.Time

	mu        sync.Mutex
	admins    []*Account // besides the owner
	followers []*Account
	posts     []Post // oldest first
	last      types.MessageServerID
}

// Post is one message of a newsletter, as the server has it.
type Post struct {
	ID       types.MessageID
	ServerID types.MessageServerID // counts from 1 in each newsletter
	From     types.JID             // the admin's number and device, hidden from followers
	Time     time.Time
	Type     string         // of the stanza: text or media
	MediaID  string         // the handle of the upload; media posted without one is not shown to anybody
	Message  *waE2E.Message // shared; do not change it
}

// maxPosts is the most posts a newsletter keeps; the oldest are dropped first.
const maxPosts = 4_096

// NewNewsletter makes a channel that belongs to an account. Nobody is notified.
func (s *Server) NewNewsletter(name string, owner *Account, followers ...*Account) (*Newsletter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.newsletters) >= s.opts.Limits.Accounts {
		return nil, fmt.Errorf("%w: %d newsletters", ErrTooMany, s.opts.Limits.Accounts)
	}
	const low = 120_363_900_000_000_000 // 18 digits, as for groups
	user := strconv.FormatInt(low+int64(len(s.newsletters))+1, 10)
	n := &Newsletter{s: s, jid: types.NewJID(user, types.NewsletterServer), name: name, owner: owner, created: time.Now()}
	n.followers = slices.Clone(followers)
	s.newsletters[user] = n
	return n, nil
}

// JID is the newsletter's address.
func (n *Newsletter) JID() types.JID { return n.jid }

// Follow lets an account read the posts made from now on.
func (n *Newsletter) Follow(a *Account) { n.join(&n.followers, a) }

// Promote lets an account post.
func (n *Newsletter) Promote(a *Account) { n.join(&n.admins, a) }

func (n *Newsletter) join(list *[]*Account, a *Account) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Contains(*list, a) {
		*list = append(*list, a)
	}
}

// Posts returns the posts, oldest first.
func (n *Newsletter) Posts() []Post {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.posts)
}

func (s *Server) newsletter(jid types.JID) *Newsletter {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if jid.Server != types.NewsletterServer {
		return nil
	}
	return s.newsletters[jid.User]
}

// role returns the role of an account in WhatsApp's terms, empty for a stranger.
func (n *Newsletter) role(a *Account) types.NewsletterRole {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.owner == a:
		return types.NewsletterRoleOwner
	case slices.Contains(n.admins, a):
		return types.NewsletterRoleAdmin
	case slices.Contains(n.followers, a):
		return types.NewsletterRoleSubscriber
	}
	return ""
}

// nackForbidden answers a post by an account that is not an admin. WhatsApp's own code for it is not known.
const nackForbidden = 403

// newsletterRefusal returns the error code for the ack of a post.
func (m *message) newsletterRefusal() int {
	n := m.conn.s.newsletter(m.to)
	if n == nil || m.id == "" || payload(m.node, "plaintext") == nil {
		return nackStanza
	}
	switch n.role(m.conn.dev.account) {
	case types.NewsletterRoleOwner, types.NewsletterRoleAdmin:
		return 0
	}
	return nackForbidden
}

// publish keeps the post and delivers it unchanged to every device of every reader of the newsletter. A post that does
// not decode as a message is not refused, but no client can read it.
func (m *message) publish() {
	n, plain := m.conn.s.newsletter(m.to), child(m.node, "plaintext")
	post := Post{
		ID: m.id, From: m.conn.dev.jid, Time: m.time, Type: text(m.node, "type"), MediaID: text(m.node, "media_id"),
		Message: new(waE2E.Message),
	}
	if err := proto.Unmarshal(payload(m.node, "plaintext"), post.Message); err != nil {
		m.conn.s.log.Warn("a post is not a message", "err", err)
	}
	n.mu.Lock()
	n.last++
	post.ServerID, m.serverID = n.last, n.last
	if len(n.posts) >= maxPosts {
		n.posts = slices.Delete(n.posts, 0, 1)
	}
	n.posts = append(n.posts, post)
	readers := slices.Concat([]*Account{n.owner}, n.admins, n.followers)
	n.mu.Unlock()
	seen := make(map[*Account]bool, len(readers))
	for _, a := range readers {
		if seen[a] {
			continue
		}
		seen[a] = true
		for _, d := range *a.list.Load() {
			if d == m.conn.dev {
				continue
			}
			d.deliver(&queued{
				class: "message", id: m.id, from: n.jid, fault: m.fault,
				node: waBinary.Node{Tag: "message", Content: []waBinary.Node{*plain}, Attrs: waBinary.Attrs{
					"from": n.jid, "id": m.id, "server_id": post.ServerID, "t": m.time.Unix(), "type": post.Type,
				}},
			})
		}
	}
}
