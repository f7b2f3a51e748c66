package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// simulate runs the WhatsApp simulator alone, for hosts and clients in any language.
func simulate(ctx context.Context, c console, args []string) (err error) {
	flags := newFlags("simulate")
	listen := flags.String("listen", "127.0.0.1:8090", "loopback `ADDRESS` to listen on")
	asJSON := flags.Bool("json", false, "print one JSON object with url, rootKey and control, and nothing else")
	verbose := flags.Bool("v", false, "log what happens, without numbers and contents")
	if err := none(c, flags, args); err != nil {
		return err
	}
	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelDebug
	}
	server, err := wasim.Start(wasim.Options{Listen: *listen, Logger: slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: level}))})
	if err != nil {
		return environment(fmt.Errorf("start the WhatsApp simulator: %w", err))
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	server.Trust() // its phones live in this process
	c, end := c.heedless()
	defer end()
	control := strings.TrimSuffix(server.URL()+wasim.ControlPath, "/")
	if *asJSON {
		raw, err := json.Marshal(map[string]string{"url": server.URL(), "rootKey": server.RootKey(), "control": control})
		if err != nil {
			return err
		}
		fmt.Fprintf(c.out, "%s\n", raw)
	} else {
		fmt.Fprintf(c.out, simulateText, server.URL(), server.RootKey(), control)
	}
	<-ctx.Done()
	return nil
}

// simulateText has the URL, the root key and the base of the control API as its arguments.
const simulateText = `WhatsApp simulator at %[1]s
root key: %[2]s

A client that trusts the root key instead of WhatsApp's connects here. Nothing leaves this machine, and nothing is kept.

  a host of ours      tapnode serve --simulator %[1]s
  our node elsewhere  its settings: {"server":{"url":"%[1]s","rootKey":"%[2]s"}}
  make an account     curl -s %[3]s/accounts -d '{"number":"5511900000001","name":"Shop"}'
  scan its QR code    curl -s %[3]s/accounts/5511900000001/scan -d '{"qr":"…"}'
  make a phone        curl -s %[3]s/phones -d '{"number":"5511900000002","name":"Ana"}'
  write               curl -s %[3]s/phones/5511900000002/text -d '{"to":"5511900000001","text":"hello"}'
  see the phone       curl -s '%[3]s/phones/5511900000002/inbox?wait=20s'
  tap a button        curl -s '%[3]s/phones/5511900000002/click?wait=20s' -d '{"buttonId":"yes"}'
  all commands        curl -s %[3]s/
  stop                Ctrl-C
`
