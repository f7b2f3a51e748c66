package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tapnode/tapnode/host/internal/api"
	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
)

// greet prints what a person needs to know next. A simulation also starts the flow called menu, so
// that there is something to tap.
func (h *host) greet(ctx context.Context, c console, server *api.Server, programs []*flow.Program, who cast) error {
	url := server.URL()
	var ids []string
	for _, p := range programs {
		ids = append(ids, p.Flow().Metadata.ID)
	}
	fmt.Fprintf(c.out, "tapnode serves at %s\n", url) // printed first, because a host that ends before this line has not served
	menu := slices.Index(ids, "menu")
	person := who.somebody()
	if h.sim != nil && menu >= 0 {
		if named := castOf(programs[menu].Flow(), nil); len(named.phones) > 0 {
			var err error
			if person, err = h.sim.Phone(ctx, named.phones[0]); err != nil {
				return err
			}
		}
	}
	if len(ids) > 0 {
		fmt.Fprintf(c.out, "flows: %s\n", strings.Join(ids, ", "))
	} else {
		fmt.Fprintln(c.out, "flows: none; name their files to serve some")
	}
	token, err := h.firstToken(ctx, c)
	if err != nil {
		return environment(err)
	}
	if err := h.invite(ctx, c, server); err != nil {
		return environment(err)
	}
	if h.sim == nil {
		return nil
	}
	h.introduce(c, who)
	fmt.Fprintf(c.out, "see the runs: tapnode runs list --data %s\n\n", h.dataDir)
	if menu < 0 {
		fmt.Fprint(c.out, "Try:\n\n")
		h.suggest(c, url, person, token, who.instances[0])
		return nil
	}
	fmt.Fprintf(c.out, menuText, url, person, token)
	h.suggest(c, url, person, token, who.instances[0])
	_, err = h.Engine.Run(ctx, engine.Request{Flow: "menu"})
	return err
}

// firstToken creates the first token and prints it, if a person is there to see it: no secret gets
// into the log of a real server. It returns the text that stands for a token in example commands.
func (h *host) firstToken(ctx context.Context, c console) (string, error) {
	if h.access.Len() == 0 && (h.sim != nil || c.person) {
		token, err := h.access.First(ctx)
		if token != "" || err != nil {
			fmt.Fprintf(c.out, "\naccount token, shown only now: %s\n", token)
			return token, err
		}
		fmt.Fprintln(c.out, "\nthe account token was shown by the host that began in the same moment, and by no other")
	}
	fmt.Fprintf(c.out, "tokens for the HTTP API: %d; another one, while this runs: tapnode tokens create --data %s\n", h.access.Len(), h.dataDir)
	return "$TOKEN", nil
}

// suggest prints example commands.
func (h *host) suggest(c console, url, person, token, instance string) {
	fmt.Fprintf(c.out, simulatedText, url, person, token, instance, h.sim.Numbers()[instance])
}

// shownNames is how many names a line shows.
const shownNames = 8

// introduce prints who is in the simulation.
func (h *host) introduce(c console, who cast) {
	numbers := h.sim.Numbers()
	var instances []string
	for _, name := range who.instances {
		instances = append(instances, name+" ("+numbers[name]+")")
	}
	fmt.Fprintf(c.out, "\nWhatsApp is simulated.\ninstances: %s\npeople: %s\n\n", some(instances), some(who.phones))
}

func some(names []string) string {
	if more := len(names) - shownNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shownNames], ", "), more)
	}
	return strings.Join(names, ", ")
}

// somebody returns the number of one person, for example commands and messages.
func (c *cast) somebody() string {
	if len(c.phones) == 0 {
		return somePhone
	}
	return c.phones[0]
}

// The commands' arguments: the host's URL, a person's number, a token, an instance and its number.
const (
	menuText = `The flow "menu" sends its buttons to the phone %[2]s now. Then try:

  tap a button       curl -X POST %[1]s/sim/v1/phones/%[2]s/click -d '{"buttonId":"billing"}'
  start it again     curl -X POST -H "token: %[3]s" %[1]s/v1/flows/menu/runs
`
	simulatedText = `  see the phone      curl %[1]s/sim/v1/phones/%[2]s/inbox
  write to us        curl -X POST %[1]s/sim/v1/phones/%[2]s/text -d '{"to":"%[5]s","text":"hello"}'
  another customer   curl -X POST %[1]s/sim/v1/phones -d '{"number":"5511999990777","name":"Bia"}'
  send buttons       curl -X POST -H "token: %[3]s" %[1]s/api/message/button/%[4]s \
                       -d '{"number":"%[2]s","contentText":"How can we help?","buttons":[{"id":"sales","displayText":"Sales"}]}'
  stop               Ctrl-C

`
)
