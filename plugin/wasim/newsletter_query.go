package wasim

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Ids of the GraphQL queries about newsletters that the server answers. They are whatsmeow's (newsletter.go); WhatsApp
// changes them from time to time.
const (
	mexNewsletter  = "6563316087068696" // one newsletter, by its JID
	mexNewsletters = "6388546374527196" // the newsletters in which the account has a role
)

// onMex answers the two queries by which a client finds the newsletters it may post to.
func onMex(c *conn, iq *waBinary.Node) ([]waBinary.Node, *IQError) {
	query := first(iq)
	var asked struct {
		Variables struct {
			Input struct {
				Key string `json:"key"`
			} `json:"input"`
		} `json:"variables"`
	}
	if query.Tag != "query" || json.Unmarshal(payload(iq, "query"), &asked) != nil {
		return nil, &IQError{Code: 400, Text: "bad-request"}
	}
	var data any
	switch text(query, "query_id") {
	case mexNewsletter:
		jid, err := types.ParseJID(asked.Variables.Input.Key)
		n := c.s.newsletter(jid)
		if err != nil || n == nil {
			return []waBinary.Node{mexResult(map[string]any{"errors": []any{map[string]any{
				"message": "Not Found", "extensions": map[string]any{"error_code": 404, "severity": "CRITICAL"},
			}}})}, nil
		}
		data = map[string]any{"xwa2_newsletter": n.metadata(c.dev.account)}
	case mexNewsletters:
		data = map[string]any{"xwa2_newsletter_subscribed": c.s.newslettersOf(c.dev.account)}
	default:
		return nil, errNotMine
	}
	return []waBinary.Node{mexResult(map[string]any{"data": data})}, nil
}

func mexResult(answer any) waBinary.Node {
	content, err := json.Marshal(answer)
	if err != nil {
		panic("wasim: an answer of strings and numbers did not encode: " + err.Error())
	}
	return waBinary.Node{Tag: "result", Content: content}
}

func (s *Server) newslettersOf(a *Account) []any {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := []any{}
	for _, n := range s.newsletters {
		if n.role(a) != "" {
			list = append(list, n.metadata(a))
		}
	}
	return list
}

// metadata is types.NewsletterMetadata on the wire: enumerations in capitals, numbers as strings.
func (n *Newsletter) metadata(viewer *Account) map[string]any {
	role := n.role(viewer)
	if role == "" {
		role = types.NewsletterRoleGuest
	}
	n.mu.Lock()
	readers := len(slices.Concat(n.admins, n.followers)) + 1
	n.mu.Unlock()
	since := strconv.FormatInt(n.created.Unix(), 10)
	text := func(s string) map[string]any {
		return map[string]any{"text": s, "id": n.jid.User, "update_time": since + "000000"}
	}
	return map[string]any{
		"id":    n.jid.String(),
		"state": map[string]any{"type": "ACTIVE"},
		"thread_metadata": map[string]any{
			"creation_time": since, "invite": "sim" + n.jid.User, "name": text(n.name), "description": text(""),
			"subscribers_count": strconv.Itoa(readers), "verification": "UNVERIFIED",
			"settings": map[string]any{"reaction_codes": map[string]any{"value": "ALL"}},
		},
		"viewer_metadata": map[string]any{"mute": "OFF", "role": strings.ToUpper(string(role))},
	}
}
