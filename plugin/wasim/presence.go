package wasim

import (
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

const maxWatched = 5_000 // presences one device may subscribe to per connection

// name is the account's name as others see it.
func (a *Account) name() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pushName
}

// onPresence handles «available», «unavailable» and subscriptions. Presence is momentary, so it is never queued.
func (c *conn) onPresence(n *waBinary.Node) {
	a := c.dev.account
	switch kind := text(n, "type"); kind {
	case "subscribe":
		to := address(n, "to")
		if watched := c.s.find(to); watched != nil {
			watched.watch(c.dev, to.ToNonAD())
		}
	case "available", "unavailable":
		a.mu.Lock()
		if name := text(n, "name"); name != "" {
			a.pushName = name
		}
		was := len(a.online) > 0
		if kind == "available" {
			a.online[c.dev] = true
		} else {
			delete(a.online, c.dev)
		}
		is := len(a.online) > 0
		a.mu.Unlock()
		if was != is {
			a.announcePresence(is)
		}
	}
}

// offline discards a device's presence and subscriptions when its connection ends.
func (a *Account) offline(d *Device) {
	a.mu.Lock()
	was := len(a.online) > 0
	delete(a.online, d)
	gone := was && len(a.online) == 0
	a.mu.Unlock()
	if gone {
		a.announcePresence(false)
	}
	d.mu.Lock()
	watching := d.watching
	d.watching = nil
	d.mu.Unlock()
	for watched := range watching {
		watched.mu.Lock()
		delete(watched.watchers, d)
		watched.mu.Unlock()
	}
}

// watch subscribes a device to the account's presence and sends it the current presence.
func (a *Account) watch(d *Device, as types.JID) {
	d.mu.Lock()
	if d.watching == nil {
		d.watching = make(map[*Account]struct{})
	}
	full := len(d.watching) >= maxWatched
	if !full {
		d.watching[a] = struct{}{}
	}
	d.mu.Unlock()
	if full {
		return
	}
	a.mu.Lock()
	a.watchers[d] = as
	online := len(a.online) > 0
	a.mu.Unlock()
	d.now(presence(as, online))
}

func (a *Account) announcePresence(online bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for d, as := range a.watchers {
		d.now(presence(as, online))
	}
}

func presence(from types.JID, online bool) waBinary.Node {
	attrs := waBinary.Attrs{"from": from}
	if !online {
		attrs["type"] = "unavailable"
		attrs["last"] = strconv.FormatInt(time.Now().Unix(), 10)
	}
	return waBinary.Node{Tag: "presence", Attrs: attrs}
}

// onChatState relays «composing» and «paused» to the devices that are active.
func (c *conn) onChatState(n *waBinary.Node) {
	to := address(n, "to")
	if g := c.s.group(to); g != nil && g.has(c.dev.account) {
		g.chatState(c.dev, n)
		return
	}
	a := c.s.find(to)
	if a == nil || a == c.dev.account {
		return
	}
	out := waBinary.Node{Tag: "chatstate", Attrs: waBinary.Attrs{"from": c.dev.in(to.Server).ToNonAD()}, Content: n.Content}
	for _, d := range *a.list.Load() {
		if !d.played {
			d.now(out)
		}
	}
}
