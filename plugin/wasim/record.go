package wasim

import (
	"maps"
	"slices"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Direction is the direction of a stanza, as seen from the server.
type Direction string

// The directions.
const (
	In  Direction = "in"
	Out Direction = "out"
)

// Stanza is one recorded stanza. Its node is shared: do not change it.
type Stanza struct {
	Seq       int64 // counts from 1
	Time      time.Time
	Direction Direction
	Device    types.JID // number and device of the client; empty before it is paired
	Node      *waBinary.Node
}

// MessageRecord is the history of one message id.
type MessageRecord struct {
	ID         types.MessageID
	Attempts   []Attempt  // every incoming <message> with that id, retries included
	Deliveries []Delivery // every outgoing <message> with that id
	Receipts   []ReceiptRecord
}

// Attempt is one incoming <message>.
type Attempt struct {
	Time  time.Time
	From  types.JID // number and device
	To    types.JID
	Retry bool           // answers a retry receipt: for one device, without <participants>
	Error int            // error code of the ack; 0 if accepted
	Node  *waBinary.Node // shared: do not change it
}

// Biz counts the <biz> nodes of the stanza. Buttons render when it is exactly one.
func (a Attempt) Biz() int { return len(a.Node.GetChildrenByTag("biz")) }

// Delivery is one outgoing <message>.
type Delivery struct {
	Time    time.Time
	To      types.JID // number and device
	Offline bool      // queued while the device was offline
	Biz     int
	EncType string // pkmsg, msg, skmsg
	Played  bool   // received by a phone that the server plays; nothing was sent
}

// ReceiptRecord is one <receipt> for the message. Type "" is delivered.
type ReceiptRecord struct {
	Time time.Time
	From types.JID // number and device
	Type string
}

const (
	maxPerMessage = 512   // attempts, deliveries and receipts of one message each
	maxUnhandled  = 1_000 // different stanzas
)

// recorder keeps the most recent stanzas and messages.
type recorder struct {
	mu      sync.Mutex
	seq     int64
	ring    []Stanza
	unknown map[string]int

	messages sync.Mutex
	byID     map[types.MessageID]*MessageRecord
	order    []types.MessageID // ring of the ids, next is the oldest
	next     int
}

func newRecorder(l Limits) *recorder {
	return &recorder{
		ring: make([]Stanza, max(l.Stanzas, 1)), unknown: make(map[string]int),
		byID: make(map[types.MessageID]*MessageRecord), order: make([]types.MessageID, max(l.Messages, 1)),
	}
}

func (r *recorder) stanza(dir Direction, d *Device, n *waBinary.Node) {
	st := Stanza{Time: time.Now(), Direction: dir, Node: n}
	if d != nil {
		st.Device = d.jid
	}
	r.mu.Lock()
	r.seq++
	st.Seq = r.seq
	r.ring[(r.seq-1)%int64(len(r.ring))] = st
	r.mu.Unlock()
}

func (r *recorder) unhandled(n *waBinary.Node) {
	name := n.Tag
	if n.Tag == "iq" {
		name += " " + text(n, "xmlns")
		if c := n.GetChildren(); len(c) > 0 {
			name += " " + c[0].Tag
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.unknown[name]; known || len(r.unknown) < maxUnhandled {
		r.unknown[name]++
	}
}

// message changes the record of an id, creating the record if there is none.
func (r *recorder) message(id types.MessageID, change func(*MessageRecord)) {
	r.messages.Lock()
	defer r.messages.Unlock()
	rec := r.byID[id]
	if rec == nil {
		delete(r.byID, r.order[r.next])
		rec = &MessageRecord{ID: id}
		r.byID[id], r.order[r.next] = rec, id
		r.next = (r.next + 1) % len(r.order)
	}
	change(rec)
}

// amend changes the record of an id only if there is one, so that a late event does not revive a dropped record.
func (r *recorder) amend(id types.MessageID, change func(*MessageRecord)) {
	r.messages.Lock()
	defer r.messages.Unlock()
	if rec := r.byID[id]; rec != nil {
		change(rec)
	}
}

func add[T any](list []T, item T) []T {
	if len(list) >= maxPerMessage {
		return list
	}
	return append(list, item)
}

// delivered records that a message is sent to a device.
func (r *recorder) delivered(d *Device, p *queued, offline bool) {
	if p.class != "message" {
		return
	}
	e := Delivery{Time: time.Now(), To: d.jid, Offline: offline, Played: d.played}
	children := p.node.GetChildren()
	for i := range children {
		switch children[i].Tag {
		case "biz":
			e.Biz++
		case "enc":
			e.EncType = text(&children[i], "type")
		}
	}
	r.message(p.id, func(m *MessageRecord) { m.Deliveries = add(m.Deliveries, e) })
}

// lastBiz counts the <biz> nodes of the last copy sent to a device.
func (r *recorder) lastBiz(id types.MessageID, to types.JID) int {
	r.messages.Lock()
	defer r.messages.Unlock()
	if m := r.byID[id]; m != nil {
		for _, d := range slices.Backward(m.Deliveries) {
			if d.To == to {
				return d.Biz
			}
		}
	}
	return 0
}

// Stanzas returns the recorded stanzas, oldest first, for which keep is true; nil keeps all.
func (s *Server) Stanzas(keep func(Stanza) bool) []Stanza {
	r := s.record
	r.mu.Lock()
	size := int64(len(r.ring))
	all := make([]Stanza, 0, min(r.seq, size))
	for seq := max(0, r.seq-size); seq < r.seq; seq++ {
		all = append(all, r.ring[seq%size])
	}
	r.mu.Unlock()
	if keep == nil {
		return all
	}
	return slices.DeleteFunc(all, func(st Stanza) bool { return !keep(st) })
}

// Record returns the history of a message up to now.
func (s *Server) Record(id types.MessageID) (MessageRecord, bool) {
	r := s.record
	r.messages.Lock()
	defer r.messages.Unlock()
	rec, ok := r.byID[id]
	if !ok {
		return MessageRecord{}, false
	}
	return MessageRecord{
		ID: id, Attempts: slices.Clone(rec.Attempts), Deliveries: slices.Clone(rec.Deliveries), Receipts: slices.Clone(rec.Receipts),
	}, true
}

// Unhandled counts, by kind, the stanzas that the server has no handler for and answered with an empty result.
func (s *Server) Unhandled() map[string]int {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return maps.Clone(s.record.unknown)
}
