package cli

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tapnode/tapnode/host/internal/events"
)

// TestWebhooksPage runs every command of the blocks of docs/webhooks.md, in their order, beside a
// host and against a receiver that checks the signature. The limits on the page must be those in
// the code.
func TestWebhooksPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds, err := events.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		if !bytes.Contains(page, []byte("`"+k.Type+"`")) || k.Seed != "" && !bytes.Contains(page, []byte("`"+k.Seed+"`")) {
			t.Errorf("the page does not name %s, %s", k.Type, k.Seed)
		}
	}
	r := takePosts(t, func(postedCall) int { return http.StatusOK })
	b := beside{t, filepath.Join(shortDir(t), "data")}
	s := serveSimulated(t, "--data", b.data)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	id, secret, ran := "", "", 0
	for lines := bufio.NewScanner(bytes.NewReader(page)); lines.Scan(); {
		line, ok := strings.CutPrefix(lines.Text(), "tapnode ")
		if !ok {
			continue
		}
		args := strings.Fields(strings.NewReplacer("https://crm.example", r.URL, " ID", " "+id).Replace(line))
		out, _ := b.do(exitOK, args...)
		if out == "" && !strings.HasPrefix(line, "webhooks redeliver") { // there is nothing to redeliver
			t.Errorf("tapnode %s prints nothing", line)
		}
		switch args[1] {
		case "add":
			words := strings.Fields(out)
			id, secret = words[1], words[len(words)-1]
		case "test":
			c := <-r.calls
			key, err := standardwebhooks.NewWebhook(secret)
			if err == nil {
				err = key.Verify([]byte(c.raw), c.header)
			}
			if err != nil || c.at("type") != "webhook.test.v1" || c.at("data.webhook") != id {
				t.Errorf("got %s: %v", c.raw, err)
			}
		case "deliveries":
			if !strings.Contains(out, "webhook.test.v1") || !strings.Contains(out, "taken, 200") {
				t.Errorf("the deliveries are\n%s", out)
			}
		}
		ran++
	}
	if ran < 10 {
		t.Errorf("found only %d commands on the page", ran)
	}
	if said := s.said.String(); strings.Contains(said, secret) || strings.Contains(said, r.URL) {
		t.Error("a secret or an address was logged")
	}
}

// TestDeadLettersOfWebhooks: events that a receiver rejects are listed, shown and delivered again
// by commands, without numbers and texts unless they are asked for.
func TestDeadLettersOfWebhooks(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	r := takePosts(t, func(postedCall) int {
		select {
		case <-gone:
			return http.StatusOK
		default:
			return http.StatusGone
		}
	})
	b := beside{t, filepath.Join(shortDir(t), "data")}
	s := serveSimulated(t, "--data", b.data)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	out, _ := b.do(exitOK, "webhooks", "add", r.URL, "--event", "whatsapp.message.received.v1")
	id := strings.Fields(out)[1]
	s.ask(t, "", "POST", "/sim/v1/phones/5511999990001/text", `{"to":"5511300000000","text":"hi there"}`)
	<-r.calls
	var all deadList
	late := time.Now().Add(patience)
	for len(all.Letters) == 0 && time.Now().Before(late) {
		b.json(&all, "webhooks", "dead", id)
	}
	if len(all.Letters) != 1 || all.Letters[0].Code != "gone" {
		t.Fatalf("the dead letters are %+v", all)
	}
	event := all.Letters[0].ID
	if out, _ = b.do(exitOK, "webhooks", "dead", id, event); strings.Contains(out, "hi there") || strings.Contains(out, "5511999990001") {
		t.Errorf("a text is shown: %s", out)
	}
	b.says("webhooks dead "+id+" "+event+" --reveal", "hi there")
	b.says("webhooks list", "off: the receiver answered 410 Gone")
	if out, _ = b.do(exitFailed, "webhooks", "redeliver", id, event); !strings.Contains(out, "410") {
		t.Errorf("redelivered: %s", out)
	}
	close(gone)
	b.says("webhooks redeliver "+id+" "+event, "taken, 200")
	if out, _ = b.do(exitInvalid, "webhooks", "dead", id, event); out != "" {
		t.Errorf("the dead letter is still there: %s", out)
	}
	if said := s.said.String(); strings.Contains(said, "5511999990001") || strings.Contains(said, r.URL) {
		t.Error("a number or an address was logged")
	}
}
