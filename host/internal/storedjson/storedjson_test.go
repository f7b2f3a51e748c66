package storedjson_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/storedjson"
)

type row struct {
	Name  string            `json:"name"`
	N     int               `json:"n,omitempty"`
	On    bool              `json:"on,omitempty"`
	At    time.Time         `json:"at,omitzero"`
	For   time.Duration     `json:"for"`
	Raw   []byte            `json:"raw"`
	Data  any               `json:"data,omitempty"`
	Vars  map[string]any    `json:"vars"`
	Pins  map[string]string `json:"pins,omitempty"`
	List  []string          `json:"list"`
	Inner *row              `json:"inner,omitempty"`
	Own   shout             `json:"own"`
}

// shout has methods of its own.
type shout string

func (s shout) MarshalJSON() ([]byte, error) { return json.Marshal("!" + string(s)) }

func (s *shout) UnmarshalJSON(src []byte) error {
	var text string
	err := json.Unmarshal(src, &text)
	*s = shout(text[min(1, len(text)):])
	return err
}

// FuzzSame: each reads what the other has written, and both see the same in it.
func FuzzSame(f *testing.F) {
	f.Add("a", 0, false, int64(0), []byte(nil), `null`)
	f.Add("<\u2028\x00\xff", -7, true, int64(1764160000123456789), []byte{0, 255}, `{"a":[1,2.5,-0,1e300,9007199254740993],"b":{"c":null,"d":"\u2028<&>"},"e":[],"f":{}}`)
	f.Fuzz(func(t *testing.T, name string, n int, on bool, at int64, raw []byte, data string) {
		v := row{Name: name, N: n, On: on, For: time.Duration(at), Raw: raw, Own: shout(name), Inner: &row{List: []string{name}, Pins: map[string]string{"x": name}}}
		if at%2 == 0 {
			v.At = time.Unix(0, at).UTC()
		}
		_ = json.Unmarshal([]byte(data), &v.Data) // or nil
		v.Vars, _ = v.Data.(map[string]any)
		ours, err := storedjson.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var want row
		if err := json.Unmarshal(theirs, &want); err != nil {
			t.Fatal(err)
		}
		for who, src := range map[string][]byte{"us": ours, "encoding/json": theirs} {
			got, err := storedjson.Decode[row](src)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("read %+v of %s (%v), want %+v: %s", got, who, err, want, src)
			}
		}
		var back row
		if err := json.Unmarshal(ours, &back); err != nil || !reflect.DeepEqual(back, want) {
			t.Errorf("encoding/json read %+v (%v), want %+v: %s", back, err, want, ours)
		}
		if members(ours) != members(theirs) {
			t.Errorf("we write %s, encoding/json writes %s", ours, theirs)
		}
	})
}

// members is how many members an object has.
func members(src []byte) int {
	var m map[string]json.RawMessage
	if json.Unmarshal(src, &m) != nil {
		return -1
	}
	return len(m)
}

// TestOldRow: Decode accepts everything in an older row that encoding/json accepts.
func TestOldRow(t *testing.T) {
	got, err := storedjson.Decode[row]([]byte(`{"name":"a","NAME":"b","name":"c\ud800"}`))
	if err != nil || got.Name != "c\ufffd" {
		t.Errorf("read %+v, %v", got, err)
	}
	if _, err := storedjson.Decode[row]([]byte(`{"name":`)); err == nil {
		t.Error("half a row was read")
	}
}
