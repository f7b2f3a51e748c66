package v1

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tapnode/tapnode/sdk/client"
)

type connectIn struct {
	Instance string `path:"instance" example:"demo"`
	Accept   string `header:"Accept" doc:"text/event-stream to hear what the phone needs."`
	strict[connectBody]
}

type connectBody struct {
	_       struct{} `additionalProperties:"false"`
	Method  string   `json:"method,omitempty" enum:"qr,code" doc:"How to pair: qr, the default, or code, which needs phone."`
	Phone   string   `json:"phone,omitempty" doc:"The account's own number, digits with country code."`
	Timeout *int     `json:"timeout,omitempty" doc:"Seconds for the phone, 5 to 300; WhatsApp itself stops after about 160."`
}

type passkeyIn struct {
	Instance string `path:"instance" example:"demo"`
	strict[passkeyBody]
}

type passkeyBody struct {
	_        struct{} `additionalProperties:"false"`
	Response *object  `json:"response,omitempty" doc:"What navigator.credentials.get gave."`
	Confirm  bool     `json:"confirm,omitempty" doc:"The phone shows the code of the stage confirm."`
}

// pairing serves connecting an instance to WhatsApp and pairing it with a phone.
func (a *API) pairing(calls Calls) {
	stages := "As server-sent events: progress with a stage (qr: draw the text in qr; code: type it on the phone; passkey: answer it at …/passkey; confirm: compare the code; paired; connecting), " +
		"then result with the instance, or problem. As JSON only the outcome. A client that goes away ends a pairing; an instance that is paired needs nobody."
	route := func(verb, summary string) route {
		return route{
			method: http.MethodPost, path: "/v1/instances/{instance}/" + verb, id: verb + "Instance", tag: "instances", summary: summary, about: stages,
			access: Access{Right: Manage}, body: smallBody, example: `{"method":"qr"}`, refusals: instanceRefusals, acts: always, change: func(op *huma.Operation) {
				op.Responses["200"] = &huma.Response{Description: "The instance is connected", Content: map[string]*huma.MediaType{
					jsonType: {Schema: a.schemaOf(instanceBody{})}, eventStream: {Schema: &huma.Schema{Type: "string"}},
				}}
			},
		}
	}
	connect := func(ctx context.Context, in *connectIn) (*streaming, error) {
		body, err := json.Marshal(struct {
			Instance string `json:"instance"`
			connectBody
		}{in.Instance, in.in})
		if err != nil {
			return nil, err
		}
		call := client.Request{Operation: opConnect, Input: body}
		out, err := a.outcome(ctx, calls, call, wantsEvents(in.Accept), func(r client.Result) any { return r.Output })
		return out, at(err, "/input", "")
	}
	serve(a, route("connect", "Connect an instance, or pair it with a phone"), func(ctx context.Context, in *connectIn) (*streaming, error) {
		if _, err := a.instance(ctx, calls, in.Instance); err != nil {
			return nil, err
		}
		return connect(ctx, in)
	})
	serve(a, route("reconnect", "Connect an instance that is paired anew"), func(ctx context.Context, in *connectIn) (*streaming, error) {
		found, err := a.instance(ctx, calls, in.Instance)
		if err != nil {
			return nil, err
		}
		var is struct {
			State string `json:"state"`
		}
		if err := json.Unmarshal(found, &is); err != nil || is.State == "new" || is.State == "logged_out" || is.State == "pairing" {
			return nil, refuse(http.StatusConflict, "no_session", "the instance is not paired: connect it")
		}
		if err := a.ask(ctx, calls, opDisconnect, about(in.Instance), nil); err != nil {
			return nil, err
		}
		return connect(ctx, in)
	})
	passkey := route("passkey", "Answer the passkey request of a pairing")
	passkey.about, passkey.change = "", nil
	passkey.id, passkey.example = "answerPasskey", `{"response":{"id":"AAAA","rawId":"AAAA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AAAA","signature":"AAAA"}}}`
	serve(a, passkey, func(ctx context.Context, in *passkeyIn) (*one[object], error) {
		var out object
		err := a.ask(ctx, calls, opPasskey, struct {
			Instance string `json:"instance"`
			passkeyBody
		}{in.Instance, in.in}, &out)
		return &one[object]{out}, at(err, "/input", "")
	})
}
