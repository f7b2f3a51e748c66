package app

import (
	"testing"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/plugin/wasim"
)

const awayFlow = `
apiVersion: flow/v1
kind: Flow
metadata: {id: away}
vars: {type: object, properties: {instance: {type: string}, phone: {type: string}}}
triggers: [{id: start, type: manual, to: menu}]
nodes:
  - id: menu
    type: whatsapp.sendButtons@1
    with: {instance: "${ vars.instance }", number: "${ vars.phone }", contentText: How are you, buttons: [{id: "yes", displayText: "Yes"}]}
    wait: {timeout: 2s, late: ignore}
  - {id: took, type: whatsapp.sendText@1, with: {instance: "${ vars.instance }", number: "${ vars.phone }", contentText: Thank you}}
  - {id: silent, type: whatsapp.sendText@1, with: {instance: "${ vars.instance }", number: "${ vars.phone }", contentText: No answer}}
edges: [{from: "menu.reply:yes", to: took}, {from: menu.timeout, to: silent}]
`

// TestTapWhileTheLineIsDown: the connection of one instance breaks and a customer taps in time.
// WhatsApp delivers the tap only after a run that began later, on another instance, has timed out.
// The tap still counts, although late answers are ignored.
func TestTapWhileTheLineIsDown(t *testing.T) {
	t.Parallel()
	a, s := open(t, awayFlow)
	start(t, a)
	for _, instance := range []string{"demo", "other"} {
		if err := s.Connect(t.Context(), a.Execute, instance); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(instance, number string) (*wasim.Phone, wasim.Message) {
		t.Helper()
		phone, err := s.Server().NewPhone(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Engine.Run(t.Context(), engine.Request{Flow: "away", Vars: map[string]any{"instance": instance, "phone": number}}); err != nil {
			t.Fatal(err)
		}
		menu, err := phone.Wait(t.Context(), func(m wasim.Message) bool { return len(m.Buttons) > 0 })
		if err != nil {
			t.Fatal(err)
		}
		return phone, menu
	}
	sees := func(phone *wasim.Phone) string {
		t.Helper()
		m, err := phone.Wait(t.Context(), func(m wasim.Message) bool { return len(m.Buttons) == 0 })
		if err != nil {
			t.Fatal(err)
		}
		return m.Text
	}
	customer, menu := ask("demo", ana)
	device := s.Server().Account(s.Numbers()["demo"]).Linked()[0]
	device.Hold(true)
	if _, err := customer.Click(t.Context(), menu, "yes", wasim.ShapeInteractive); err != nil {
		t.Fatal(err)
	}
	device.Drop()
	other, _ := ask("other", "5511999990002")
	if got := sees(other); got != "No answer" {
		t.Errorf("on the other instance, the customer sees %q", got)
	}
	device.Hold(false)
	if got := sees(customer); got != "Thank you" {
		t.Errorf("who tapped in time sees %q", got)
	}
}
