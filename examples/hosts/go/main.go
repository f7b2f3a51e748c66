// Command go is a complete host of our node on plain go-plugin: it pairs an instance,
// sends a menu and reads the click. The people are a simulator's:
//
//	go run ./examples/hosts/go NODE SIMULATOR ROOTKEY
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/hashicorp/go-plugin"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	binary, simulator, rootKey := os.Args[1], os.Args[2], os.Args[3]
	state := must(os.MkdirTemp("", "state")) // a real host keeps it: the WhatsApp session is in it
	defer os.RemoveAll(state)
	process := plugin.NewClient(client.PluginConfig(exec.CommandContext(ctx, binary)))
	defer process.Kill()
	node := must(client.Dispense(process))
	settings := fmt.Appendf(nil, `{"server":{"url":%q,"rootKey":%q}}`, simulator, rootKey) // {} is the real WhatsApp
	check(node.Configure(ctx, sdk.Setup{Settings: settings, StateDir: state}))
	execute := func(operation, key, input string, progress func(client.Progress)) {
		request := client.Request{Operation: operation, Key: key, Correlation: "order 17", Input: []byte(input)}
		fmt.Printf("%s: %s\n", operation, must(node.Execute(ctx, request, progress)).Output)
	}
	people := func(path, body string) { // what the people do, by the simulator's HTTP API
		post := must(http.NewRequestWithContext(ctx, http.MethodPost, simulator+"/sim/v1"+path, strings.NewReader(body)))
		answer, err := http.DefaultClient.Do(post)
		check(err)
		defer answer.Body.Close()
		if answer.StatusCode >= http.StatusBadRequest {
			panic(path + ": " + answer.Status)
		}
	}
	people("/accounts", `{"number":"5511900000001"}`)
	people("/phones", `{"number":"5511900000002","name":"Ana"}`)

	execute("whatsapp.instance.create@1", "", `{"instance":"shop"}`, nil)
	execute("whatsapp.instance.connect@1", "", `{"instance":"shop"}`, func(p client.Progress) {
		var step struct{ QR string }
		if p.Stage == "qr" && json.Unmarshal(p.Data, &step) == nil { // a real host shows it to a person
			people("/accounts/5511900000001/scan", fmt.Sprintf(`{"qr":%q}`, step.QR))
		}
	})
	clicks := must(node.Subscribe(ctx, client.Start{Operation: "whatsapp.buttonClick@1", Subscriber: "orders"}))
	execute("whatsapp.sendButtons@1", "order-17-menu", `{"instance":"shop","number":"5511900000002",
		"contentText":"Is Friday fine?","buttons":[{"id":"yes","displayText":"Yes"},{"id":"no","displayText":"No"}]}`, nil)
	people("/phones/5511900000002/click?wait=20s", `{"buttonId":"yes"}`)

	event := must(clicks.Recv())
	var click struct{ Button struct{ ID string } }
	check(json.Unmarshal(event.Data, &click))
	fmt.Printf("%q was tapped for %s\n", click.Button.ID, event.Correlation)
	check(clicks.Ack(event.Sequence)) // a real host first stores what it does, with event.Cursor, in one transaction
	must(clicks.Stop(ctx))
	must(node.Drain(ctx, 10*time.Second))
	check(node.Close(ctx))
}

func check(err error) { must(0, err) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
