package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/tapnode/tapnode/sdk/client"
)

// instances looks after the WhatsApp instances of a running host.
func instances(ctx context.Context, c console, args []string) error {
	return subcommand(ctx, c, "instances", args, map[string]func(context.Context, console, *flag.FlagSet, []string) error{
		"list": listInstances, "create": createInstance, "connect": connectInstance, "reconnect": reconnectInstance, "logout": logoutInstance, "delete": deleteInstance,
	})
}

// pairTime bounds a pairing, which WhatsApp itself ends before.
const pairTime = 6 * time.Minute

// shownInstance is what people want to know of one.
type shownInstance struct {
	Name      string     `json:"name"`
	State     string     `json:"state"`
	Phone     *string    `json:"phone"`
	Connected *time.Time `json:"connectedAt"`
	LastError *struct {
		Message string `json:"message"`
	} `json:"lastError"`
}

func listInstances(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, _, asJSON, err := flowArgs(c, fs, args, 0, 0, "list")
	if err != nil {
		return err
	}
	defer host.close()
	var whole json.RawMessage
	if err := host.get(ctx, http.MethodGet, v1("instances"), nil, nil, &whole); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, whole)
	}
	var all struct {
		Instances []shownInstance `json:"instances"`
	}
	if err := json.Unmarshal(whole, &all); err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tNUMBER\tCONNECTED\tLAST ERROR")
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
}

// createInstance makes an instance and prints its token.
func createInstance(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 1, "create NAME")
	if err != nil {
		return err
	}
	defer host.close()
	body, err := json.Marshal(map[string]string{"name": rest[0]})
	if err != nil {
		return err
	}
	var made struct {
		Instance json.RawMessage `json:"instance"`
		Token    string          `json:"token"`
	}
	if err := host.get(ctx, http.MethodPost, v1("instances"), nil, body, &made); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, made)
	}
	if _, err := fmt.Fprintln(c.out, made.Token); err != nil {
		return err
	}
	fmt.Fprintf(c.err, "%s is made; this is its token. Pair it with tapnode instances connect %s\n", printable(rest[0]), printable(rest[0]))
	return nil
}

// connectInstance connects an instance, and shows what its phone needs until it is paired.
func connectInstance(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	number := fs.String("number", "", "for connect: pair by a code that is typed into the phone of this `NUMBER`, digits with country code")
	return pairInstance(ctx, c, fs, args, "connect", number)
}

func reconnectInstance(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	return pairInstance(ctx, c, fs, args, "reconnect", new(string))
}

func pairInstance(ctx context.Context, c console, fs *flag.FlagSet, args []string, verb string, number *string) error {
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 1, verb+" NAME")
	if err != nil {
		return err
	}
	defer host.close()
	asked := map[string]any{}
	if *number != "" {
		asked = map[string]any{"method": "code", "phone": *number}
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, pairTime)
	defer cancel()
	res, err := host.ask(ctx, http.MethodPost, v1("instances", rest[0], verb), nil, body, http.Header{"Accept": {"text/event-stream"}})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	shown := screen{w: c.out, live: c.person, plain: !c.person}
	for ev, err := range serverSent(res.Body) {
		switch {
		case err != nil:
			return fmt.Errorf("the host stopped answering: %w", err)
		case ev.kind == "progress" && asJSON:
			_, err = fmt.Fprintf(c.out, "%s\n", ev.data)
		case ev.kind == "progress":
			var p client.Progress
			if err = json.Unmarshal(ev.data, &p); err == nil {
				shown.show(p)
			}
		case ev.kind == "result" && asJSON:
			_, err = fmt.Fprintf(c.out, "%s\n", ev.data)
			return err
		case ev.kind == "result":
			return printPaired(c, ev.data)
		default:
			return c.refusedCall(denied(0, ev.data))
		}
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("the host ended before %s was connected; do it again", rest[0])
}

func printPaired(c console, result []byte) error {
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
	_, err := fmt.Fprintf(c.out, "%s is %s%s\n", printable(paired.Instance.Name), printable(paired.Instance.State), printable(as))
	return err
}

func logoutInstance(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 1, "logout NAME")
	if err != nil {
		return err
	}
	defer host.close()
	var answer json.RawMessage
	if err := host.get(ctx, http.MethodPost, v1("instances", rest[0], "logout"), nil, nil, &answer); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, answer)
	}
	return printPaired(c, answer)
}

func deleteInstance(ctx context.Context, c console, fs *flag.FlagSet, args []string) error {
	host, rest, asJSON, err := flowArgs(c, fs, args, 1, 1, "delete NAME")
	if err != nil {
		return err
	}
	defer host.close()
	if err := host.get(ctx, http.MethodDelete, v1("instances", rest[0]), nil, nil, nil); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, map[string]string{"deleted": rest[0]})
	}
	_, err = fmt.Fprintf(c.out, "%s is logged out and forgotten\n", printable(rest[0]))
	return err
}
