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

// overlap is how long the key before the present one goes on signing, too.
const overlap = 24 * time.Hour

// keyOf derives the key of a webhook in a rotation.
func (s *Service) keyOf(id, rotation string) []byte {
	mac := hmac.New(sha256.New, s.opt.Secret)
	fmt.Fprintf(mac, "webhook key\x00%s\x00%s", id, rotation)
	return mac.Sum(nil)
}

// secretOf is a key as its receiver is told it.
func (s *Service) secretOf(id, rotation string) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(s.keyOf(id, rotation))
}

// sign adds the headers of Standard Webhooks: a signature for each key that is live.
func (s *Service) sign(h http.Header, w *Webhook, id string, body []byte) error {
	now := s.opt.Now()
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	if w.rotation == "" { // of the seed's API, whose clients have no key
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
