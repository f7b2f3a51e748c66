package appstate

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"go.mau.fi/whatsmeow/appstate"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// device is a companion's side: it has taken the key share and follows one collection with whatsmeow's processor.
type device struct {
	t     *testing.T
	keyID []byte
	proc  *appstate.Processor
	state appstate.HashState
}

func newDevice(t *testing.T, a *Account) *device {
	share := a.KeyShare().GetProtocolMessage().GetAppStateSyncKeyShare().GetKeys()[0]
	id := share.GetKeyID().GetKeyID()
	mem := &memory{NoopStore: &store.NoopStore{}, keyID: id, macs: make(map[string][]byte),
		key: &store.AppStateSyncKey{Data: share.GetKeyData().GetKeyData(), Timestamp: share.GetKeyData().GetTimestamp()}}
	return &device{t: t, keyID: id, proc: appstate.NewProcessor(&store.Device{AppStateKeys: mem, AppState: mem}, waLog.Noop)}
}

func query(name appstate.WAPatchName, version uint64, patch []byte) waBinary.Node {
	c := waBinary.Node{Tag: "collection", Attrs: waBinary.Attrs{"name": string(name), "version": strconv.FormatUint(version, 10), "return_snapshot": "false"}}
	if patch != nil {
		c.Content = []waBinary.Node{{Tag: "patch", Content: patch}}
	}
	return waBinary.Node{Tag: "sync", Content: []waBinary.Node{c}}
}

// wire sends a node through whatsmeow's encoder and decoder, as the server does.
func wire(t *testing.T, n waBinary.Node) waBinary.Node {
	t.Helper()
	raw, err := waBinary.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	out, err := waBinary.Unmarshal(raw[1:])
	if err != nil {
		t.Fatal(err)
	}
	return *out
}

func (d *device) ask(a *Account, n waBinary.Node) (waBinary.Node, []Change) {
	d.t.Helper()
	answer, changes := a.Sync(d.t.Context(), wire(d.t, n))
	collection, ok := new(wire(d.t, answer)).GetOptionalChildByTag("collection")
	if !ok {
		d.t.Fatalf("answered %s", answer.String())
	}
	return collection, changes
}

// follow brings the device up to date and returns the decrypted mutations.
func (d *device) follow(a *Account, name appstate.WAPatchName) []appstate.Mutation {
	d.t.Helper()
	var all []appstate.Mutation
	for {
		collection, _ := d.ask(a, query(name, d.state.Version, nil))
		list, err := appstate.ParsePatchList(d.t.Context(), &collection, nil)
		if err != nil {
			d.t.Fatal(err)
		}
		got, state, err := d.proc.DecodePatches(d.t.Context(), list, d.state, true)
		if err != nil {
			d.t.Fatal(err)
		}
		all, d.state = append(all, got...), state
		if !list.HasMorePatches {
			return all
		}
	}
}

func newAccount(t *testing.T) *Account {
	t.Helper()
	a, err := New(t.Context(), "Ana")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCompanionLearnsThePushName(t *testing.T) {
	a := newAccount(t)
	d := newDevice(t, a)
	got := d.follow(a, appstate.WAPatchCriticalBlock)
	if len(got) != 1 || got[0].Index[0] != appstate.IndexSettingPushName || got[0].Action.GetPushNameSetting().GetName() != "Ana" {
		t.Fatalf("decoded %+v", got)
	}
	change, err := a.Put(t.Context(), appstate.BuildSettingPushName("Bea"))
	if err != nil || change.Version != 2 {
		t.Fatalf("changed to %+v, %v", change, err)
	}
	got = d.follow(a, appstate.WAPatchCriticalBlock)
	if len(got) != 1 || got[0].Action.GetPushNameSetting().GetName() != "Bea" {
		t.Fatalf("decoded %+v", got)
	}
	if got := newDevice(t, a).follow(a, appstate.WAPatchRegularLow); len(got) != 0 {
		t.Fatalf("an untouched collection has %+v", got)
	}
}

func TestLongHistoryComesInPages(t *testing.T) {
	a := newAccount(t)
	for i := range 2*page + 1 {
		if _, err := a.Put(t.Context(), appstate.BuildPin(types.NewJID(strconv.Itoa(i), types.DefaultUserServer), true)); err != nil {
			t.Fatal(err)
		}
	}
	if got := newDevice(t, a).follow(a, appstate.WAPatchRegularLow); len(got) != 2*page+1 {
		t.Fatalf("decoded %d mutations", len(got))
	}
}

func TestCompanionPatchIsTakenAndConflictsAreTold(t *testing.T) {
	a := newAccount(t)
	d, other := newDevice(t, a), newDevice(t, a)
	d.follow(a, appstate.WAPatchCriticalBlock)
	other.follow(a, appstate.WAPatchCriticalBlock)
	patch := func(d *device, name string) []byte {
		raw, err := d.proc.EncodePatch(t.Context(), d.keyID, d.state, appstate.BuildSettingPushName(name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	answer, changes := d.ask(a, query(appstate.WAPatchCriticalBlock, 1, patch(d, "Cleo")))
	if answer.Attrs["type"] == "error" || len(changes) != 1 || changes[0].Version != 2 {
		t.Fatalf("answered %s, changes %v", answer.String(), changes)
	}
	answer, changes = other.ask(a, query(appstate.WAPatchCriticalBlock, 1, patch(other, "Dora")))
	code := new(answer.GetChildByTag("error")).AttrGetter().Int("code")
	if code != 409 || len(changes) != 0 || len(new(answer.GetChildByTag("patches")).GetChildren()) != 1 {
		t.Fatalf("answered %s", answer.String())
	}
	if got := other.follow(a, appstate.WAPatchCriticalBlock); got[0].Action.GetPushNameSetting().GetName() != "Cleo" {
		t.Fatalf("decoded %+v", got)
	}
}

func TestSyncRefuses(t *testing.T) {
	a := newAccount(t)
	d := newDevice(t, a)
	d.follow(a, appstate.WAPatchCriticalBlock)
	good, err := d.proc.EncodePatch(t.Context(), d.keyID, d.state, appstate.BuildSettingPushName("Eve"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte{}, good...)
	damaged[len(damaged)-1] ^= 1
	stranger := newDevice(t, newAccount(t))
	stranger.keyID[0] = 9
	stranger.proc.Store.AppStateKeys.(*memory).keyID[0] = 9
	foreign, err := stranger.proc.EncodePatch(t.Context(), stranger.keyID, d.state, appstate.BuildSettingPushName("Eve"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		query waBinary.Node
		code  int
	}{
		{"unknown collection", query("colours", 0, nil), 404},
		{"version ahead", query(appstate.WAPatchCriticalBlock, 7, nil), 400},
		{"not a patch", query(appstate.WAPatchCriticalBlock, 1, []byte("\xff\xff")), 400},
		{"damaged", query(appstate.WAPatchCriticalBlock, 1, damaged), 400},
		{"foreign key", query(appstate.WAPatchCriticalBlock, 1, foreign), 400},
		{"too large", query(appstate.WAPatchCriticalBlock, 1, make([]byte, maxPatchSize+1)), 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, changes := d.ask(a, c.query)
			if got := new(answer.GetChildByTag("error")).AttrGetter().Int("code"); got != c.code || len(changes) != 0 {
				t.Fatalf("answered %s", answer.String())
			}
		})
	}
	if got := d.follow(a, appstate.WAPatchCriticalBlock); len(got) != 0 {
		t.Fatalf("a refused patch left %+v", got)
	}
}

func TestPutRefusesUnknownCollection(t *testing.T) {
	if _, err := newAccount(t).Put(t.Context(), appstate.PatchInfo{Type: "colours"}); !errors.Is(err, ErrCollection) {
		t.Fatal(err)
	}
}

// FuzzPatch is a companion that sends anything as a patch: the account must neither panic nor take it.
func FuzzPatch(f *testing.F) {
	a, err := New(context.Background(), "Ana")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(a.collections[appstate.WAPatchCriticalBlock].patches[0])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, changes := a.Sync(t.Context(), query(appstate.WAPatchRegular, 1, raw))
		for _, c := range changes {
			t.Fatalf("took a patch made for another collection: %v", c)
		}
	})
}
