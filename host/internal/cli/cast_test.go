package cli

import (
	"slices"
	"testing"

	"github.com/tapnode/tapnode/host/internal/app"
	"github.com/tapnode/tapnode/host/internal/flow"
)

// A simulation has the instances and people that a flow names: in filters, in inputs at any depth,
// and by variables. It has neither those that only a run will know nor groups.
func TestCast(t *testing.T) {
	list, err := offline(t.Context(), nodesDir)
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := app.NewCatalogue(list)
	if err != nil {
		t.Fatal(err)
	}
	program, findings, err := flow.Load([]byte(`
apiVersion: flow/v1
kind: Flow
metadata: {id: cast, name: Cast}
vars:
  type: object
  properties:
    shop: {type: string, default: main}
    instance: {type: string}
    area: {type: string, default: "55"}
    phone: {type: string, default: "+55 11 90000-0001"}
triggers:
  - {id: hello, type: whatsapp.messageReceived@1, with: {instances: [berlin, paris], keywords: [hi]}, vars: {shop: lyon}, to: ask}
  - {id: start, type: manual, to: ask}
nodes:
  - id: ask
    type: whatsapp.sendButtons@1
    with:
      instance: "shop-${ vars.shop }"
      number: "${vars.area}11900000002"
      contentText: "instance: none"
      buttons: [{id: "yes", displayText: "Yes"}]
      menu: {allowedSenders: ["5511900000003", "5511900000004@s.whatsapp.net"]}
  - {id: back, type: whatsapp.sendText@1, with: {instance: "${ event.instance }", number: "${ event.chat.jid }", contentText: x}}
  - {id: group, type: whatsapp.sendText@1, with: {instance: rome, number: "120363041234567890@g.us", contentText: x}}
  - {id: note, type: set@1, with: {values: {instance: none}}}
`), catalogue)
	if err != nil {
		t.Fatal(err, findings)
	}
	got := castOf(program.Flow(), map[string]any{"area": "49"})
	slices.Sort(got.instances)
	slices.Sort(got.phones)
	if want := []string{"berlin", "paris", "rome", "shop-lyon", "shop-main"}; !slices.Equal(got.instances, want) {
		t.Errorf("instances %q, want %q", got.instances, want)
	}
	if want := []string{"+55 11 90000-0001", "4911900000002", "5511900000003", "5511900000004"}; !slices.Equal(got.phones, want) {
		t.Errorf("phones %q, want %q", got.phones, want)
	}
}
