package v1

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// Instances keeps the data of an instance that the host, and not the node, stores.
type Instances interface {
	// Renew starts from scratch for an instance that has just been created, and returns its token.
	Renew(ctx context.Context, name string) (token string, err error)
	// Rotate gives an instance a new token; the old one stops working.
	Rotate(ctx context.Context, name string) (token string, err error)
	// Forget removes all data of a deleted instance.
	Forget(ctx context.Context, name string) error
}

// The node's operations on instances.
const (
	opList       = "whatsapp.instance.list@1"
	opCreate     = "whatsapp.instance.create@1"
	opConnect    = "whatsapp.instance.connect@1"
	opPasskey    = "whatsapp.instance.passkey@1"
	opDisconnect = "whatsapp.instance.disconnect@1"
	opLogout     = "whatsapp.instance.logout@1"
	opDelete     = "whatsapp.instance.delete@1"
	opResume     = "whatsapp.instance.resumeNewContacts@1"
)

type instanceIn struct {
	Instance string `path:"instance" example:"demo"`
}

// instance is an instance as the node describes it: schemas/whatsapp.instance.list.output.json.
type instance json.RawMessage

// MarshalJSON implements json.Marshaler.
func (i instance) MarshalJSON() ([]byte, error) { return json.RawMessage(i).MarshalJSON() }

// UnmarshalJSON implements json.Unmarshaler.
func (i *instance) UnmarshalJSON(b []byte) error { return (*json.RawMessage)(i).UnmarshalJSON(b) }

// Schema implements huma.SchemaProvider.
func (instance) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "As schemas/whatsapp.instance.list.output.json has it: name, state, jid, lid, phone, pushName, createdAt, connectedAt, newContacts, lastError."}
}

type instanceList struct {
	Instances []instance `json:"instances" nullable:"false"`
}

type instanceBody struct {
	Instance instance `json:"instance"`
}

type newInstance struct {
	_    struct{} `additionalProperties:"false"`
	Name string   `json:"name" doc:"1 to 100 letters, digits, _, - and, not first, a dot."`
}

type madeInstance struct {
	Location string `header:"Location"`
	Body     withToken
}

type withToken struct {
	Instance instance `json:"instance"`
	Token    string   `json:"token,omitempty" doc:"Good for this instance only. Shown to who may send, read and manage."`
}

type tokenBody struct {
	Instance string `json:"instance"`
	Token    string `json:"token"`
}

var instanceRefusals = []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable}

// instances serves the instances of the WhatsApp node.
func (a *API) instances(calls Calls, keeps Instances) {
	serve(a, route{
		method: http.MethodGet, path: "/v1/instances", id: "listInstances", tag: "instances", summary: "The instances and how they are",
		about: "A token of some instances sees those.", access: Access{Read, Any},
	}, func(ctx context.Context, _ *struct{}) (*one[instanceList], error) {
		out := instanceList{Instances: []instance{}}
		names := a.caller(ctx).Instances
		if names == nil {
			names = []string{""} // all
		}
		for _, name := range names {
			var some instanceList
			err := a.ask(ctx, calls, opList, about(name), &some)
			if p, ok := errors.AsType[*problem](err); ok && p.Status == http.StatusNotFound {
				continue
			}
			if err != nil {
				return nil, err
			}
			out.Instances = append(out.Instances, some.Instances...)
		}
		return &one[instanceList]{out}, nil
	})
	serve(a, route{
		method: http.MethodGet, path: "/v1/instances/{instance}", id: "getInstance", tag: "instances", summary: "One instance",
		access: Access{Right: Read}, refusals: instanceRefusals,
	}, func(ctx context.Context, in *instanceIn) (*one[instanceBody], error) {
		found, err := a.instance(ctx, calls, in.Instance)
		return &one[instanceBody]{instanceBody{found}}, err
	})
	serve(a, route{
		method: http.MethodPost, path: "/v1/instances", id: "makeInstance", tag: "instances", summary: "Make an instance",
		access: Access{Manage, All}, status: http.StatusCreated, body: smallBody, example: `{"name":"shop"}`, refusals: instanceRefusals, acts: always, secret: true,
	}, func(ctx context.Context, in *struct{ strict[newInstance] }) (*madeInstance, error) {
		var out instanceBody
		if err := a.ask(ctx, calls, opCreate, about(in.in.Name), &out); err != nil {
			return nil, at(err, "/input/instance", "/name")
		}
		token, err := keeps.Renew(context.WithoutCancel(ctx), in.in.Name) // the instance exists now, even if the client is gone
		if err != nil {
			return nil, a.failed(err)
		}
		if !a.caller(ctx).full() {
			token = ""
		}
		return &madeInstance{"/v1/instances/" + in.in.Name, withToken{out.Instance, token}}, nil
	})
	serve(a, route{
		method: http.MethodDelete, path: "/v1/instances/{instance}", id: "deleteInstance", tag: "instances", summary: "Log an instance out and forget it",
		access: Access{Manage, All}, refusals: instanceRefusals,
	}, func(ctx context.Context, in *instanceIn) (*struct{}, error) {
		err := a.ask(ctx, calls, opDelete, about(in.Instance), nil)
		if p, ok := errors.AsType[*problem](err); err != nil && (!ok || p.Status != http.StatusNotFound) {
			return nil, err
		}
		if lost := keeps.Forget(context.WithoutCancel(ctx), in.Instance); lost != nil { // even if the node had deleted it already
			return nil, a.failed(lost)
		}
		return nil, err
	})
	serve(a, route{
		method: http.MethodPost, path: "/v1/instances/{instance}/token", id: "rotateInstanceToken", tag: "instances", summary: "Give an instance another token",
		about: "The one it had is good for nothing any more.", access: Access{Manage, All}, refusals: instanceRefusals, acts: always, secret: true,
	}, func(ctx context.Context, in *instanceIn) (*one[tokenBody], error) {
		if !a.caller(ctx).full() {
			return nil, refuse(http.StatusForbidden, "forbidden", "the token of an instance may send, read and manage, and is seen only by who may, too")
		}
		token, err := keeps.Rotate(ctx, in.Instance)
		if err != nil {
			return nil, a.failed(err)
		}
		return &one[tokenBody]{tokenBody{in.Instance, token}}, nil
	})
	for verb, op := range map[string]string{"disconnect": opDisconnect, "logout": opLogout, "resume": opResume} {
		serve(a, route{
			method: http.MethodPost, path: "/v1/instances/{instance}/" + verb, id: verb + "Instance", tag: "instances",
			summary: map[string]string{
				"disconnect": "Take an instance offline; it stays paired", "logout": "Remove the linked device from the account",
				"resume": "End the pause of new contacts before its time",
			}[verb],
			access: Access{Right: Manage}, refusals: instanceRefusals, acts: always,
		}, func(ctx context.Context, in *instanceIn) (*one[instanceBody], error) {
			var out instanceBody
			err := a.ask(ctx, calls, op, about(in.Instance), &out)
			return &one[instanceBody]{out}, err
		})
	}
	a.pairing(calls)
}

// about returns the input of an operation on an instance; "" stands for all instances.
func about(name string) any {
	if name == "" {
		return struct{}{}
	}
	return map[string]string{"instance": name}
}

// ask makes a call and reads its output, unless into is nil.
func (a *API) ask(ctx context.Context, calls Calls, op string, input, into any) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	body, err := json.Marshal(input)
	if err != nil {
		return err
	}
	r, err := calls.Execute(ctx, client.Request{Operation: op, Input: body}, nil)
	if err != nil {
		return a.failed(err)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(r.Output, into); err != nil {
		return a.failed(&sdk.Problem{Code: "node_output", HTTPStatus: http.StatusBadGateway, Message: fmt.Sprintf("the node's answer to %s cannot be read", op), Effect: sdk.EffectDone, Fault: sdk.FaultNode})
	}
	return nil
}

// instance returns an instance as the node describes it, or a problem if there is none.
func (a *API) instance(ctx context.Context, calls Calls, name string) (instance, error) {
	var out instanceList
	if err := a.ask(ctx, calls, opList, about(name), &out); err != nil {
		return nil, err
	}
	if len(out.Instances) != 1 {
		return nil, refuse(http.StatusNotFound, "instance_not_found", "Instance not found")
	}
	return out.Instances[0], nil
}

// at rewrites the pointers of a problem from the input of a call to the request's body.
func at(err error, from, to string) error {
	if p, ok := errors.AsType[*problem](err); ok {
		for i := range p.Errors {
			if rest, ok := strings.CutPrefix(p.Errors[i].Pointer, from); ok {
				p.Errors[i].Pointer = to + rest
			}
		}
	}
	return err
}
