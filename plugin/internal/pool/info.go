package pool

import (
	"encoding/json"
	"time"

	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// Info is what there is to know about an instance, whichever process has it.
type Info struct {
	Name      string
	CreatedAt time.Time
	Status    Status
	Account   Account // all zero when not paired
}

// Info says how the instance is.
func (i *Instance) Info() Info {
	return Info{Name: i.name, CreatedAt: i.created, Status: i.Status(), Account: i.Account()}
}

// shows is what the process that has an instance shows of it to others, in the registry.
type shows struct {
	Status
	Account Account
	Behind  bool // see Away
}

func (i *Instance) shows() shows {
	return shows{Status: i.Status(), Account: i.Account(), Behind: i.away()}
}

func (s shows) text() string {
	b, _ := json.Marshal(s) // texts and times always encode
	return string(b)
}

// shown reads what another process shows of an instance; ok is false when nobody ever did.
func shown(r registry.Instance) (s shows, ok bool) {
	err := json.Unmarshal([]byte(r.Shown), &s)
	return s, err == nil && s.State != ""
}

// elsewhere is what the registry says about an instance that this process has not claimed.
func elsewhere(r registry.Instance) Info {
	info := Info{Name: r.Name, CreatedAt: r.CreatedAt}
	if s, ok := shown(r); ok {
		info.Status, info.Account = s.Status, s.Account
		return info
	}
	info.Status = Status{State: New, Since: r.CreatedAt, Trouble: unclaimed()}
	if jid, err := types.ParseJID(r.JID); err == nil && !jid.IsEmpty() {
		info.Status.State, info.Account.JID = Disconnected, jid.ToNonAD()
	}
	info.Status.Trouble.At = r.CreatedAt
	return info
}

// namesBehind are the instances that are away, see Away, as their processes show it; one that
// is to be online and that nobody has looked after yet is, too.
func namesBehind(all []registry.Instance) (names []string) {
	for _, r := range all {
		s, ok := shown(r)
		if ok && s.Behind || !ok && r.Wanted == registry.Connected && r.JID != "" {
			names = append(names, r.Name)
		}
	}
	return names
}
