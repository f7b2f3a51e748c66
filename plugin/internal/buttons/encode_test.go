package buttons

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/internal/recipient"
)

var update = flag.Bool("update", false, "rewrite the expected half of the golden files")

var profiles = []Profile{Direct, Full, Legacy}

// TestGolden compares every shape in every profile with testdata/encode. A file has two parts,
// separated by a line of hyphens: the input as a person writes it, and everything that is made from
// it.
func TestGolden(t *testing.T) {
	const parting = "\n---\n"
	files, err := filepath.Glob("testdata/encode/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatalf("golden files: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".golden"), func(t *testing.T) {
			golden, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, _ := strings.Cut(string(golden), parting)
			got := outputs(t, []byte(input))
			if *update {
				if err := os.WriteFile(file, []byte(input+parting+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-golden +now (go test -run Golden -update rewrites it):\n%s", diff)
			}
		})
	}
}

// outputs are the expected half of a golden file.
func outputs(t *testing.T, input []byte) string {
	t.Helper()
	r, violations := Parse(input)
	if len(violations) == 0 {
		violations, _ = Validate(r)
	}
	if len(violations) > 0 {
		t.Fatalf("the input is not valid: %+v", violations)
	}
	var out strings.Builder
	part := func(title string, content []byte) { fmt.Fprintf(&out, "# %s\n%s", title, content) }
	for _, profile := range profiles {
		message, nodes := profile.Encode(r, sending(r))
		part(string(profile)+": message", protoJSON(t, message))
		part(string(profile)+": stanza", stanza(t, message, nodes))
	}
	to, err := recipient.Parse(r.Number)
	if err != nil {
		t.Fatal(err)
	}
	preview, err := json.MarshalIndent(NewPreview(r, to), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	part("fallback: message", protoJSON(t, EncodeFallback(r, sending(r))))
	part("preview", append(preview, '\n'))
	return out.String()
}

// sending is the same for every golden file: a fixed id and time, the media and
// the quote that the request asks for.
func sending(r Request) Send {
	s := Send{MessageID: "3EB0C767D26B5F1A2B3C", At: time.Unix(1795000000, 0)}
	if r.MediaURL != "" {
		s.Media = &Media{
			Type: r.MediaType, Mimetype: "application/x-golden", URL: "https://mmg.example/f", DirectPath: "/v/f",
			MediaKey: []byte("key"), FileSHA256: []byte("sha"), FileEncSHA256: []byte("enc"), FileLength: 7,
			Thumbnail: []byte("jpg"), Width: 4, Height: 3, Seconds: 2, FileName: "menu.bin",
		}
	}
	if r.ReplyTo != "" {
		q := Quoted{MessageID: r.ReplyTo, Author: types.JID{User: "123456789012345", Device: 7, Server: types.HiddenUserServer}}
		if r.ReplyPrivate {
			q.Group = types.NewJID("120363041234567890", types.GroupServer)
			q.Original = &waE2E.Message{Conversation: proto.String("What do you sell?")}
		}
		s.Context = Quote(q)
	}
	return s
}

// protoJSON normalises the spaces that protojson varies on purpose.
func protoJSON(t *testing.T, message *waE2E.Message) []byte {
	t.Helper()
	raw, err := protojson.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), '\n')
}

// stanza returns the nodes as XML after a round trip through WhatsApp's binary form, so that nodes
// that cannot be encoded fail.
func stanza(t *testing.T, message *waE2E.Message, nodes []waBinary.Node) []byte {
	t.Helper()
	if err := oneBiz(message, nodes); err != nil {
		t.Error(err)
	}
	waBinary.IndentXML = true
	var out bytes.Buffer
	for _, node := range nodes {
		packed, err := waBinary.Marshal(node)
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := waBinary.Unmarshal(packed[1:]) // without the flag byte
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(unpacked.String() + "\n")
	}
	return out.Bytes()
}

// oneBiz counts the <biz> nodes that will be sent: ours, and the one that whatsmeow adds by itself
// for the messages named in getButtonTypeFromMessage (send.go).
func oneBiz(message *waE2E.Message, nodes []waBinary.Node) error {
	count := 0
	for _, node := range nodes {
		if node.Tag == "biz" {
			count++
		}
	}
	for _, wrapper := range []*waE2E.FutureProofMessage{message.ViewOnceMessage, message.ViewOnceMessageV2, message.EphemeralMessage} {
		if wrapper.GetMessage() != nil {
			message = wrapper.GetMessage()
		}
	}
	if message.ButtonsMessage != nil || message.ButtonsResponseMessage != nil || message.ListMessage != nil ||
		message.ListResponseMessage != nil || message.InteractiveResponseMessage != nil {
		count++
	}
	if count != 1 {
		return errors.New("not exactly one <biz> node would leave")
	}
	return nil
}

// TestEncodeIsRepeatable: a second send under the same id is the same message.
func TestEncodeIsRepeatable(t *testing.T) {
	r, _ := Parse([]byte(with("replyTo", `"3EB0"`)))
	for _, profile := range profiles {
		m1, n1 := profile.Encode(r, sending(r))
		m2, n2 := profile.Encode(r, sending(r))
		if !proto.Equal(m1, m2) || !cmp.Equal(n1, n2) {
			t.Errorf("%s: two encodings differ", profile)
		}
	}
}

// TestParamsAreJSON: whatever a label or id holds, the parameters stay JSON and
// mean the same.
func TestParamsAreJSON(t *testing.T) {
	for _, value := range []string{`a"b\c`, "line\nbreak", "&<>", "\u2028", "😀", "é", "\x01"} {
		b := nativeFlowButton(Button{ID: value, DisplayText: value})
		var got params
		if err := json.Unmarshal([]byte(b.GetButtonParamsJSON()), &got); err != nil || got.ID != value || got.DisplayText != value {
			t.Errorf("%q became %s (%v)", value, b.GetButtonParamsJSON(), err)
		}
	}
}

func TestParseProfile(t *testing.T) {
	for name, want := range map[string]Profile{"": Direct, "direct": Direct, "full": Full, "legacy": Legacy} {
		if got, err := ParseProfile(name); err != nil || got != want {
			t.Errorf("%q = %s, %v", name, got, err)
		}
	}
	if _, err := ParseProfile("viewonce"); err == nil {
		t.Error("viewonce passed")
	}
}

func TestEncodeText(t *testing.T) {
	if got := EncodeText(TextRequest{ContentText: "Hi"}, nil).GetConversation(); got != "Hi" {
		t.Errorf("plain text %q", got)
	}
	m := EncodeText(TextRequest{ContentText: "Hi"}, Quote(Quoted{MessageID: "3EB0", Author: types.NewJID("1", types.HiddenUserServer)}))
	info := m.GetExtendedTextMessage().GetContextInfo()
	if m.GetExtendedTextMessage().GetText() != "Hi" || info.GetStanzaID() != "3EB0" || info.GetParticipant() != "1@lid" || info.GetQuotedMessage() == nil {
		t.Errorf("quoting text %v", m)
	}
}
