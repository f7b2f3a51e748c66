package access

import (
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

const (
	// An address may try wrongAtOnce wrong tokens at once, and after that one in each wrongEvery.
	wrongAtOnce = 20
	wrongEvery  = 6 * time.Second
	// maxAddresses limits the addresses, and the callers at addresses, that are remembered. Those seen
	// longest ago make room.
	maxAddresses = 10_000
)

// guesses slows down addresses that try tokens.
type guesses struct {
	mu      sync.Mutex
	wrong   *lru.Cache[netip.Prefix, *rate.Limiter]
	welcome *lru.Cache[visitor, struct{}]
}

// visitor is a caller at an address.
type visitor struct {
	from   netip.Prefix
	caller string
}

func newGuesses() *guesses {
	wrong, err := lru.New[netip.Prefix, *rate.Limiter](maxAddresses)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	welcome, err := lru.New[visitor, struct{}](maxAddresses)
	if err != nil {
		panic(err)
	}
	return &guesses{wrong: wrong, welcome: welcome}
}

// Guess counts the use of a token from an address. caller is the caller whose token it is, "" for a token
// that does not exist. Guess returns how long the address has to wait before it may try again; 0 lets the
// request pass. A caller that was let in from the address before does not wait for the mistakes of others.
func (a *Access) Guess(from netip.Addr, caller string) (wait time.Duration) {
	network := networkOf(from)
	now, g := a.now(), a.guesses
	g.mu.Lock()
	defer g.mu.Unlock()
	wrong, tried := g.wrong.Get(network)
	if caller != "" {
		if v := (visitor{network, caller}); !tried || wrong.TokensAt(now) >= 1 || g.welcome.Contains(v) {
			g.welcome.Add(v, struct{}{})
			return 0
		}
		return wrongEvery
	}
	if !tried {
		wrong = rate.NewLimiter(rate.Every(wrongEvery), wrongAtOnce)
		g.wrong.Add(network, wrong)
	}
	if wrong.AllowN(now, 1) {
		return 0
	}
	return wrongEvery
}

// networkOf returns the network that one customer of a provider has: an IPv4 address, or 64 bits of IPv6.
func networkOf(from netip.Addr) netip.Prefix {
	from = from.Unmap().WithZone("")
	bits := from.BitLen()
	if from.Is6() {
		bits = 64
	}
	network, err := from.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // requests without an address share one
	}
	return network
}
