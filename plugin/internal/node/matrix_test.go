package node

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/wasim"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// original is a message that others can quote.
type original struct {
	id           types.MessageID
	chat, author types.JID
	message      *waE2E.Message
}

// place is a destination, and how a message to it appears there.
type place struct {
	name    string
	number  string
	readers []*wasim.Phone
	went    types.JID // the destination that the server sees
	chat    types.JID // on the readers' phones
	fault   string    // its name in a fault rule
	said    original  // in this chat
	inGroup original  // in a group, by readers[0]
	channel *wasim.Newsletter
}

// matrix is a shop, its customers, a group of the current kind and one of the old kind, and a
// channel.
type matrix struct {
	*world
	files  string
	bytes  map[string][]byte // by path
	places []*place
}

// TestMatrix sends every combination of destination, buttons, header and extra, and compares what
// the phones decrypt, what the server saw and what the caller is told with what the request asks
// for.
func TestMatrix(t *testing.T) {
	t.Parallel()
	x := newMatrix(t)
	for _, p := range x.places {
		for _, s := range shapes {
			for _, h := range headings {
				for _, e := range []extra{plainly, quoting, privately, refused} {
					c := cell{p, s, h, e}
					t.Run(p.name+"/"+s.name+"/"+h.name+"/"+string(e), func(t *testing.T) { x.on(t).check(c) })
				}
			}
		}
	}
	t.Run("delay", func(t *testing.T) {
		for i, p := range x.places {
			c := cell{p, shapes[i%len(shapes)], headings[i%len(headings)], delayed}
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				x.on(t).checkDelay(c)
			})
		}
	})
	for i, p := range x.places {
		c := cell{p, shapes[i%len(shapes)], headings[i%len(headings)], plainly}
		t.Run("refused/"+p.name, func(t *testing.T) { x.on(t).checkRefusal(c) })
	}
	if got := x.sim.Media(); got.Uploads != int64(2*len(x.bytes)) { // each once encrypted, for chats, and once unencrypted, for the channel
		t.Errorf("%d files were uploaded %d times", len(x.bytes), got.Uploads)
	}
	if u := x.sim.Unhandled(); len(u) > 0 {
		t.Errorf("stanzas the server does not know: %v", u)
	}
}

// on is the same matrix for a subtest.
func (x *matrix) on(t *testing.T) *matrix {
	w := *x.world
	w.t = t
	y := *x
	y.world = &w
	return &y
}

func newMatrix(t *testing.T) *matrix {
	w := newWorld(t, wasim.Options{Limits: wasim.Limits{Stanzas: 1 << 15}})
	ana, bob, eve := w.customer(anaNumber), w.customer("5511988880002"), w.customer("5511988880003")
	own := w.pair("shop", shopNumber)
	team, err := w.sim.NewGroup("Team", own, ana.Account(), bob.Account())
	w.must(err)
	old, err := w.sim.NewNumberGroup("Old", own, eve.Account(), bob.Account())
	w.must(err)
	offers, err := w.sim.NewNewsletter("Offers", own, ana.Account())
	w.must(err)

	x := &matrix{world: w, bytes: map[string][]byte{
		"/menu.png": picture(t), "/prices.pdf": []byte("%PDF-1.7\n1 0 obj\n"),
		"/clip.mp4": append([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"), make([]byte, 600)...),
	}}
	files := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = rw.Write(x.bytes[r.URL.Path]) // a test's own server
	}))
	t.Cleanup(files.Close)
	x.files = files.URL

	inbox := w.subscribe(opMessageReceived, nil)
	say := func(p *wasim.Phone, chat, author types.JID) original {
		text := "Are you open?"
		id, err := p.SendText(w.ctx(), chat, text)
		w.must(err)
		w.next(inbox, new(clicks.MessageReceived))
		return original{id, chat, author, &waE2E.Message{Conversation: proto.String(text)}}
	}
	for _, person := range []struct {
		name, number string
		phone        *wasim.Phone
	}{
		{"phone", "+55 11 98888-0001", ana}, {"s.whatsapp.net", bob.JID().String(), bob}, {"lid", eve.LID().String(), eve},
	} {
		x.places = append(x.places, &place{
			name: person.name, number: person.number, readers: []*wasim.Phone{person.phone}, went: person.phone.LID(), chat: own.LID(),
			fault: person.phone.Account().Phone(), said: say(person.phone, own.LID(), person.phone.LID()),
		})
	}
	inTeam, inOld := say(ana, team.JID(), ana.LID()), say(eve, old.JID(), eve.JID())
	byBob := say(bob, team.JID(), bob.LID())
	for i, said := range []original{inTeam, byBob, inOld} {
		x.places[i].inGroup = said
	}
	x.places = append(x.places,
		&place{name: "g.us", number: team.JID().String(), readers: []*wasim.Phone{ana, bob}, went: team.JID(), chat: team.JID(),
			fault: team.JID().String(), said: inTeam, inGroup: inTeam},
		&place{name: "g.us of old", number: old.JID().String(), readers: []*wasim.Phone{eve, bob}, went: old.JID(), chat: old.JID(),
			fault: old.JID().String(), said: inOld, inGroup: inOld},
		&place{name: "newsletter", number: offers.JID().String(), readers: []*wasim.Phone{ana}, went: offers.JID(), chat: offers.JID(),
			fault: offers.JID().String(), inGroup: inTeam, channel: offers},
	)
	var post send.Output
	w.must(w.call(send.OpText, obj{"instance": "shop", "number": offers.JID().String(), "contentText": "Hello"}, &post))
	x.places[len(x.places)-1].said = original{post.MessageID, offers.JID(), offers.JID(), &waE2E.Message{Conversation: proto.String("Hello")}}
	return x
}

func picture(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewRGBA(image.Rect(0, 0, 24, 16))); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
