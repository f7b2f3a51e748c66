package seed

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/tapnode/tapnode/host/internal/qrcode"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

const (
	// pairTime is how long a pairing may take; WhatsApp itself stops after about 160 s.
	pairTime = 3 * time.Minute
	// phoneTime is how many seconds of pairTime the phone has.
	phoneTime = 170
	// maxPairings is how many pairings may be in progress at the same time.
	maxPairings = 100
)

// pairings are the pairings in progress, at most one for each instance.
type pairings struct {
	api  *API
	ctx  context.Context // of all pairings
	quit context.CancelFunc
	wg   sync.WaitGroup

	mu   sync.Mutex
	each map[string]*pairing
}

// pairing is a call of the node's connect operation.
type pairing struct {
	number string // "": by QR code
	done   chan struct{}
	err    error // of the call; read it only after done

	mu   sync.Mutex
	step step
	next chan struct{} // closed when step changes
}

func newPairings(a *API) *pairings {
	p := &pairings{api: a, each: map[string]*pairing{}}
	p.ctx, p.quit = context.WithCancel(context.Background())
	return p
}

// stop ends all pairings, waits for them until ctx ends, and prevents new ones.
func (p *pairings) stop(ctx context.Context) error {
	p.mu.Lock()
	p.quit()
	p.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		p.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join returns the pairing of an instance, or begins one. It first ends a pairing of the instance
// that uses another number, or a QR code where this one uses a number, or the reverse.
func (p *pairings) join(ctx context.Context, instance, number string) (*pairing, error) {
	for {
		p.mu.Lock()
		going := p.each[instance]
		if going != nil && going.number == number {
			p.mu.Unlock()
			return going, nil
		}
		if going == nil {
			begun, err := p.begin(instance, number)
			p.mu.Unlock()
			return begun, err
		}
		p.mu.Unlock()
		if err := p.end(ctx, instance, going); err != nil {
			return nil, err
		}
	}
}

// begin begins a pairing. The caller holds mu.
func (p *pairings) begin(instance, number string) (*pairing, error) {
	if p.ctx.Err() != nil || len(p.each) >= maxPairings {
		return nil, &sdk.Problem{Code: "busy", HTTPStatus: http.StatusServiceUnavailable, Message: "Too many instances are being connected, or the server stops; try again",
			Effect: sdk.EffectNone, Retryable: true, RetryAfter: 5 * time.Second, Fault: sdk.FaultNode}
	}
	input := map[string]any{"instance": instance, "timeout": phoneTime}
	if number != "" {
		input["method"], input["phone"] = "code", number
	}
	raw, err := json.Marshal(input)
	if err != nil {
		return nil, err
	}
	begun := &pairing{number: number, done: make(chan struct{}), next: make(chan struct{})}
	p.each[instance] = begun
	p.wg.Go(func() {
		ctx, cancel := context.WithTimeout(p.ctx, pairTime)
		defer cancel()
		_, begun.err = p.api.call(ctx, client.Request{Operation: "whatsapp.instance.connect@1", Input: raw}, begun.progress)
		p.mu.Lock()
		delete(p.each, instance)
		p.mu.Unlock()
		close(begun.done)
	})
	return begun, nil
}

// end takes an instance offline, which ends its pairing. Cancelling the call would not be enough,
// because the node would end its side of the pairing later.
func (p *pairings) end(ctx context.Context, instance string, going *pairing) error {
	var out oneInstance
	if err := p.api.run(ctx, "whatsapp.instance.disconnect@1", named{instance}, &out); err != nil {
		return err
	}
	select {
	case <-going.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pairing) progress(told client.Progress) {
	var s step
	if json.Unmarshal(told.Data, &s) != nil || s.Stage == "" {
		s.Stage = told.Stage
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step = s
	close(p.next)
	p.next = make(chan struct{})
}

// wait waits for a step that a person has to take now and returns it, or returns done and the
// outcome of the call when that ends first.
func (p *pairing) wait(ctx context.Context) (s step, done bool, err error) {
	for {
		p.mu.Lock()
		s, next := p.step, p.next
		p.mu.Unlock()
		select {
		case <-p.done:
			return s, true, p.err
		default:
		}
		if s.waits(time.Now()) {
			return s, false, nil
		}
		select {
		case <-p.done:
		case <-next:
		case <-ctx.Done():
			return s, false, ctx.Err()
		}
	}
}

// picture is a QR code as the data URL of a PNG; "" if there is none.
func picture(text string) string {
	png := qrcode.PNG(text)
	if png == nil {
		return ""
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(png)
}
