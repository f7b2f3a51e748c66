package events

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// overlap is how long calls are also signed with the previous key after a rotation.
const overlap = 24 * time.Hour

// keyOf derives the key of a webhook from the server's secret. Another rotation gives another key.
func (s *Service) keyOf(id, rotation string) []byte {
	mac := hmac.New(sha256.New, s.opt.Secret)
	fmt.Fprintf(mac, "webhook key\x00%s\x00%s", id, rotation)
	return mac.Sum(nil)
}

// secretOf is a key in the form that the receiver is configured with.
func (s *Service) secretOf(id, rotation string) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(s.keyOf(id, rotation))
}

// sign adds the headers of Standard Webhooks, with a signature for each valid key.
func (s *Service) sign(h http.Header, w *Webhook, id string, body []byte) error {
	now := s.opt.Now()
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	if w.rotation == "" { // a webhook of the seed's API: its clients have no key
		return nil
	}
	rotations := []string{w.rotation}
	if w.previous != "" && now.Before(w.previousUntil) {
		rotations = append(rotations, w.previous)
	}
	signatures := make([]string, len(rotations))
	for i, rotation := range rotations {
		key, err := standardwebhooks.NewWebhookRaw(s.keyOf(w.ID, rotation))
		if err == nil {
			signatures[i], err = key.Sign(id, now, body)
		}
		if err != nil {
			return err
		}
	}
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}
