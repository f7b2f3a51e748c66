package bench

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk/client"
)

// pictures has the first instance send the menu with one picture to people it has never written to.
// It compares that with a bare client that uploads the picture for each message, and with one that
// uploads it once: in messages per second, and in the bytes uploaded for all of them. Each round has
// another picture.
func (l *lab) pictures(w io.Writer, rounds, people int) {
	l.tb.Helper()
	var picture atomic.Pointer[[]byte]
	var fetched, keys atomic.Int64
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(*picture.Load()) // a caller that has left does not need it
	}))
	l.tb.Cleanup(shop.Close)
	send := func(_ context.Context, _ int, to *wasim.Account) error {
		_, err := l.host.Execute(l.ctx, client.Request{
			Operation: "whatsapp.sendButtons@1", Input: request(instance(0), to.Phone(), shop.URL+"/parcel.jpg"), Key: fmt.Sprintf("picture-%d", keys.Add(1)),
		}, nil)
		return err
	}
	first := photo(0)
	picture.Store(&first)
	model := l.seen("5511966660001", func(to *wasim.Account) error { return send(l.ctx, 0, to) })
	biz, bare := model.stanza.Node.GetChildrenByTag("biz"), l.full.client(0)
	each := newArm("bare, uploads each time")
	each.greet = func(ctx context.Context, _ int, to *wasim.Account) error {
		m := proto.CloneOf(model.message.Message)
		if err := bare.Illustrate(ctx, m, *picture.Load()); err != nil {
			return err
		}
		_, err := bare.Greet(ctx, to.Phone(), m, biz)
		return err
	}
	kept, once := model.message.Message, newArm("bare, uploads once")
	once.greet = func(ctx context.Context, _ int, to *wasim.Account) error {
		_, err := bare.Greet(ctx, to.Phone(), proto.CloneOf(kept), biz)
		return err
	}
	product := newArm("tapnode")
	product.greet = send
	arms := []*arm{product, each, once}
	uploads, mib, fetches := make([][]float64, len(arms)), make([][]float64, len(arms)), make([][]float64, len(arms))
	seed := uint64(0)
	rate, err := turns(rounds, len(arms), func(i int) (float64, error) {
		seed++
		another := photo(seed)
		picture.Store(&another)
		before, seen := l.sim.Media(), fetched.Load()
		if arms[i] == once {
			if err := bare.Illustrate(l.ctx, kept, another); err != nil {
				return 0, err
			}
		}
		perSecond, err := l.greetings(arms[i], people)
		after := l.sim.Media()
		uploads[i] = append(uploads[i], float64(after.Uploads-before.Uploads))
		mib[i] = append(mib[i], float64(after.Uploaded-before.Uploaded)/(1<<20))
		fetches[i] = append(fetches[i], float64(fetched.Load()-seen))
		return perSecond, err
	})
	l.must(err)
	t := newTable(w, arms)
	t.add(measure{name: fmt.Sprintf("%d KiB to %d people, messages/s", len(first)>>10, people), values: rate, combine: quotient, decimals: 0})
	t.add(measure{name: "uploads", values: uploads, combine: quotient, decimals: 0})
	t.add(measure{name: "uploaded, MiB", values: mib, combine: quotient, decimals: 1})
	t.add(measure{name: "fetched from the picture's server", values: fetches, combine: quotient, decimals: 0})
}

// photo is a JPEG of a usual size: 1,280 by 960 pixels, about 270 KiB.
func photo(seed uint64) []byte {
	chance := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // nothing secret
	img := image.NewRGBA(image.Rect(0, 0, 1280, 960))
	for y := range 960 {
		for x := range 1280 {
			grain := uint8(chance.IntN(24))
			img.Set(x, y, color.RGBA{uint8(x*200/1280) + grain, uint8(y*200/960) + grain, 80 + grain, 255})
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 85}); err != nil {
		panic(err) // unreachable: a buffer takes all
	}
	return out.Bytes()
}
