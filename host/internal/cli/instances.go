package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/sdk/client"
)

// instances looks after the WhatsApp instances of a running host.
func instances(ctx context.Context, c console, args []string) error {
	return errands(ctx, c, "instances", args, map[string]order{
		"list": plain("", listInstances), "create": plain("NAME", createInstance), "connect": {"NAME", connectInstance},
		"reconnect": plain("NAME", reconnectInstance), "logout": plain("NAME", logoutInstance), "delete": plain("NAME", deleteInstance),
		"move": plain("NAME HOST", moveInstance),
	})
}

// pairTime bounds a pairing. WhatsApp itself ends it earlier.
const pairTime = 6 * time.Minute

// shownInstance is the part of an instance that is shown to people.
type shownInstance struct {
	Name      string     `json:"name"`
	State     string     `json:"state"`
	Phone     *string    `json:"phone"`
	Connected *time.Time `json:"connectedAt"`
	LastError *struct {
		Message string `json:"message"`
	} `json:"lastError"`
}

func listInstances(ctx context.Context, e errand) error {
	var whole json.RawMessage
	return e.list(ctx, v1("instances"), nil, &whole, func() error {
		var all struct {
			Instances []shownInstance `json:"instances"`
		}
		if err := json.Unmarshal(whole, &all); err != nil {
			return err
		}
		w := e.table("NAME\tSTATE\tNUMBER\tCONNECTED\tLAST ERROR")
		for _, i := range all.Instances {
			number, wrong := "-", "-"
			if i.Phone != nil {
				number = *i.Phone
			}
			if i.LastError != nil {
				wrong = i.LastError.Message
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", printable(i.Name), printable(i.State), printable(number), timeOrDash(i.Connected), printable(wrong))
		}
		return w.Flush()
	})
}

// createInstance makes an instance and prints its token.
func createInstance(ctx context.Context, e errand) error {
	name := e.args[0]
	var made struct {
		Instance json.RawMessage `json:"instance"`
		Token    string          `json:"token"`
	}
	return e.change(ctx, http.MethodPost, v1("instances"), map[string]string{"name": name}, &made, func() error {
		if err := e.say("%s", made.Token); err != nil {
			return err
		}
		fmt.Fprintf(e.err, "%s is made; this is its token. Pair it with tapnode instances connect %s\n", printable(name), printable(name))
		return nil
	})
}

// connectInstance connects an instance, and shows the codes that its phone needs until it is
// paired.
func connectInstance(fs *flag.FlagSet) func(context.Context, errand) error {
	number := fs.String("number", "", "for connect: pair by a code that is typed into the phone of this `NUMBER`, digits with country code")
	return func(ctx context.Context, e errand) error { return e.pair(ctx, "connect", *number) }
}

func reconnectInstance(ctx context.Context, e errand) error { return e.pair(ctx, "reconnect", "") }

func (e errand) pair(ctx context.Context, verb, number string) error {
	asked := map[string]any{}
	if number != "" {
		asked = map[string]any{"method": "code", "phone": number}
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, pairTime)
	defer cancel()
	res, err := e.host.ask(ctx, http.MethodPost, v1("instances", e.args[0], verb), nil, body, http.Header{"Accept": {"text/event-stream"}})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	shown := screen{w: e.out, live: e.person, plain: !e.person}
	for ev, err := range serverSent(res.Body) {
		switch {
		case err != nil:
			return fmt.Errorf("the host stopped answering: %w", err)
		case ev.kind == "progress" && e.json:
			_, err = fmt.Fprintf(e.out, "%s\n", ev.data)
		case ev.kind == "progress":
			var p client.Progress
			if err = json.Unmarshal(ev.data, &p); err == nil {
				shown.show(p)
			}
		case ev.kind == "result" && e.json:
			_, err = fmt.Fprintf(e.out, "%s\n", ev.data)
			return err
		case ev.kind == "result":
			return e.printPaired(ev.data)
		default:
			return e.refusedCall(denied(0, ev.data))
		}
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("the host ended before %s was connected; do it again", e.args[0])
}

func (e errand) printPaired(result []byte) error {
	var paired struct {
		Instance shownInstance `json:"instance"`
	}
	if err := json.Unmarshal(result, &paired); err != nil {
		return fmt.Errorf("the answer of the host cannot be read: %w", err)
	}
	as := ""
	if paired.Instance.Phone != nil {
		as = " as " + *paired.Instance.Phone
	}
	return e.say("%s is %s%s", printable(paired.Instance.Name), printable(paired.Instance.State), printable(as))
}

func logoutInstance(ctx context.Context, e errand) error {
	var answer json.RawMessage
	return e.change(ctx, http.MethodPost, v1("instances", e.args[0], "logout"), nil, &answer, func() error { return e.printPaired(answer) })
}

func deleteInstance(ctx context.Context, e errand) error {
	name := e.args[0]
	if err := e.host.get(ctx, http.MethodDelete, v1("instances", name), nil, nil, nil); err != nil {
		return err
	}
	return e.print(map[string]string{"deleted": name}, func() error {
		return e.say("%s is logged out and forgotten", printable(name))
	})
}
