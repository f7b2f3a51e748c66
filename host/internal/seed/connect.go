package seed

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// connectTime is how long a request to connect waits for an answer.
const connectTime = 60 * time.Second

// connected is the answer to connect and also its member data, because some clients read that first.
func connected(state string, s step) map[string]any {
	out := map[string]any{"status": state, "qrCode": s.QR, "qrCodeBase64": picture(s.QR), "pairingCode": ""}
	if s.Stage == "code" {
		out["pairingCode"] = s.Code
	}
	if s.Stage == "confirm" {
		out["confirmationCode"] = s.Code
	}
	if s.Stage != "" {
		out["stage"] = s.Stage
	}
	if s.ExpiresAt != nil {
		out["expiresAt"] = s.ExpiresAt
	}
	if len(s.Passkey) > 0 {
		out["passkey"] = s.Passkey
	}
	return out
}

// connect answers when there is a code for the phone, or when the instance is connected. The pairing
// continues after the answer; a later call joins it and gets the code that is current then.
func (a *API) connect(ctx context.Context, r Request) (Answer, error) {
	number := strings.TrimPrefix(r.Query.Get("number"), "+")
	return a.join(ctx, r.Instance, number, "Scan the QR code or enter the pairing code")
}

// reconnect is connect for an instance that has been paired.
func (a *API) reconnect(ctx context.Context, r Request) (Answer, error) {
	found, err := a.all(ctx, r.Instance)
	if err != nil {
		return Answer{}, err
	}
	if found[0].Phone == nil {
		return Answer{}, refuse(http.StatusBadRequest, "invalid_request", "Instance has no saved session — call /connect first")
	}
	return a.join(ctx, r.Instance, "", "Instance reconnecting")
}

func (a *API) join(ctx context.Context, instance, number, waiting string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	p, err := a.pairings.join(ctx, instance, number)
	if err != nil {
		return Answer{}, err
	}
	s, done, err := p.wait(ctx)
	switch {
	case ctx.Err() != nil && !done:
		return Answer{}, &sdk.Problem{Code: "timeout", HTTPStatus: http.StatusGatewayTimeout, Effect: sdk.EffectUnknown, Retryable: true, Fault: sdk.FaultDownstream,
			Message: "WhatsApp has not answered yet; the instance goes on connecting, call /connect again"}
	case err != nil:
		return Answer{}, err
	case done:
		out := connected("connected", step{})
		return Answer{Message: "Instance connected successfully", State: "connected", Members: out, Data: out}, nil
	}
	out := connected("connecting", s)
	return Answer{Message: waiting, State: "connecting", Members: out, Data: out}, nil
}

// step is the step that a pairing waits for, as the node describes it.
type step struct {
	Stage     string          `json:"stage"`
	QR        string          `json:"qr"`
	Code      string          `json:"code"`
	ExpiresAt *time.Time      `json:"expiresAt"`
	Passkey   json.RawMessage `json:"passkey"`
}

// waits reports whether a person has to do something now.
func (s step) waits(now time.Time) bool {
	switch s.Stage {
	case "qr", "code", "passkey", "confirm":
		return s.ExpiresAt == nil || now.Before(*s.ExpiresAt)
	}
	return false
}
