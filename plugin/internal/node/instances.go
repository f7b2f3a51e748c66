package node

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/problem"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// named is the input that most instance operations have.
type named struct {
	Instance string `json:"instance"`
}

type connectInput struct {
	Instance string  `json:"instance"`
	Method   string  `json:"method"`
	Phone    string  `json:"phone"`
	Timeout  seconds `json:"timeout"`
}

// instanceOutput is #/$defs/instance of the instance schemas.
type instanceOutput struct {
	Name        string         `json:"name"`
	State       pool.State     `json:"state"`
	JID         *string        `json:"jid"`
	LID         *string        `json:"lid"`
	Phone       *string        `json:"phone"`
	PushName    *string        `json:"pushName"`
	CreatedAt   time.Time      `json:"createdAt"`
	ConnectedAt *time.Time     `json:"connectedAt"`
	NewContacts *pausedOutput  `json:"newContacts"` // nil: not paused
	LastError   *instanceError `json:"lastError"`
}

type pausedOutput struct {
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
}

type instanceError struct {
	Code    string     `json:"code"`
	Message string     `json:"message"`
	At      time.Time  `json:"at"`
	Until   *time.Time `json:"until,omitempty"`
}

type (
	oneInstance struct {
		Instance instanceOutput `json:"instance"`
	}
	allInstances struct {
		Instances []instanceOutput `json:"instances"`
	}
	deleted struct {
		Instance string `json:"instance"`
		Deleted  bool   `json:"deleted"`
	}
)

func (p *process) describe(i *pool.Instance) instanceOutput {
	return describe(i.Info(), p.pauses.Now(i.Name()))
}

func describe(i pool.Info, pause *registry.Pause) instanceOutput {
	s, account := i.Status, i.Account
	out := instanceOutput{Name: i.Name, State: s.State, CreatedAt: i.CreatedAt.UTC()}
	if !account.JID.IsEmpty() {
		out.JID, out.Phone = text(account.JID.String()), text(account.JID.User)
	}
	if !account.LID.IsEmpty() {
		out.LID = text(account.LID.String())
	}
	out.PushName = text(account.PushName)
	if s.State == pool.Connected {
		at := s.Since.UTC()
		out.ConnectedAt = &at
	}
	if pause != nil {
		out.NewContacts = &pausedOutput{pause.Reason, pause.Since.UTC(), pause.Until.UTC()}
	}
	if s.Trouble != nil {
		out.LastError = &instanceError{Code: s.Trouble.Code, Message: s.Trouble.Message, At: s.Trouble.At.UTC()}
		if !s.Trouble.Until.IsZero() {
			until := s.Trouble.Until.UTC()
			out.LastError.Until = &until
		}
	}
	return out
}

// text returns nil for an unknown value.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (n *node) instanceOperations() []sdk.Offer {
	return []sdk.Offer{
		sdk.Operation[named, oneInstance]{
			ID: "whatsapp.instance.create@1", Title: "Create an instance", Icon: "plus",
			Summary: "Registers a name for a WhatsApp account.",
			Input:   schemas.Read(schemas.InstanceCreateInput), Output: schemas.Read(schemas.InstanceCreateOutput),
			Run: n.createInstance,
		},
		sdk.Operation[named, allInstances]{
			ID: "whatsapp.instance.list@1", Title: "List instances", Icon: "list",
			Summary: "The instances and how they are.", Replay: sdk.Pure,
			Input: schemas.Read(schemas.InstanceListInput), Output: schemas.Read(schemas.InstanceListOutput),
			Run: n.listInstances,
		},
		sdk.Operation[connectInput, oneInstance]{
			ID: "whatsapp.instance.connect@1", Title: "Connect an instance", Icon: "link",
			Summary: "Connects an instance; a new one is paired by QR code or by a code typed on the phone.",
			Input:   schemas.Read(schemas.InstanceConnectInput), Output: schemas.Read(schemas.InstanceConnectOutput),
			Run: n.connectInstance,
		},
		sdk.Operation[passkeyInput, oneInstance]{
			ID: "whatsapp.instance.passkey@1", Title: "Answer a passkey request", Icon: "key",
			Summary: "Hands a pairing the browser's WebAuthn answer, or confirms the code shown.",
			Input:   schemas.Read(schemas.InstancePasskeyInput), Output: schemas.Read(schemas.InstancePasskeyOutput),
			Run: n.answerPasskey,
		},
		sdk.Operation[named, oneInstance]{
			ID: "whatsapp.instance.disconnect@1", Title: "Disconnect an instance", Icon: "unlink",
			Summary: "Takes an instance offline; it stays paired.", Replay: sdk.Pure,
			Input: schemas.Read(schemas.InstanceDisconnectInput), Output: schemas.Read(schemas.InstanceDisconnectOutput),
			Run: onInstance(n, (*pool.Instance).Disconnect),
		},
		sdk.Operation[named, oneInstance]{
			ID: "whatsapp.instance.logout@1", Title: "Log an instance out", Icon: "log-out",
			Summary: "Removes the linked device from the account.", Replay: sdk.Pure,
			Input: schemas.Read(schemas.InstanceLogoutInput), Output: schemas.Read(schemas.InstanceLogoutOutput),
			Run: onInstance(n, (*pool.Instance).Logout),
		},
		sdk.Operation[named, oneInstance]{
			ID: "whatsapp.instance.resumeNewContacts@1", Title: "Resume new contacts", Icon: "user-plus",
			Summary: "Ends the pause of new contacts before its time.", Replay: sdk.Pure,
			Input: schemas.Read(schemas.InstanceResumeNewContactsInput), Output: schemas.Read(schemas.InstanceResumeNewContactsOutput),
			Run: n.resumeNewContacts,
		},
		sdk.Operation[named, deleted]{
			ID: "whatsapp.instance.delete@1", Title: "Delete an instance", Icon: "trash",
			Summary: "Logs an instance out and forgets it, with its menus.",
			Input:   schemas.Read(schemas.InstanceDeleteInput), Output: schemas.Read(schemas.InstanceDeleteOutput),
			Run: n.deleteInstance,
		},
	}
}

func (n *node) createInstance(ctx context.Context, _ *sdk.Call, in named) (oneInstance, error) {
	i, err := n.process.Load().pool.Create(ctx, in.Instance)
	if err != nil {
		return oneInstance{}, problem.Of(err)
	}
	return oneInstance{n.process.Load().describe(i)}, nil
}

func (n *node) listInstances(ctx context.Context, _ *sdk.Call, in named) (allInstances, error) {
	p, out := n.process.Load(), allInstances{Instances: []instanceOutput{}}
	infos, err := p.pool.Infos(ctx, in.Instance)
	if err != nil {
		return out, problem.Of(err)
	}
	paused, err := p.paused(ctx, in.Instance)
	if err != nil {
		return out, problem.Of(err)
	}
	for _, i := range infos {
		out.Instances = append(out.Instances, describe(i, paused(i.Name)))
	}
	return out, nil
}

// paused returns a function that looks up an instance's pause. The pauses of instances that other
// processes own are only in the database.
func (p *process) paused(ctx context.Context, instance string) (func(name string) *registry.Pause, error) {
	if !p.leased {
		return p.pauses.Now, nil
	}
	stored, err := p.store.Registry.Pauses(ctx, instance)
	return func(name string) *registry.Pause {
		i := slices.IndexFunc(stored, func(one registry.Pause) bool { return one.Instance == name }) // the pause that ends last
		if i < 0 {
			return nil
		}
		return &stored[i]
	}, err
}

func (n *node) connectInstance(ctx context.Context, call *sdk.Call, in connectInput) (oneInstance, error) {
	p := n.process.Load()
	i, err := p.pool.Find(ctx, in.Instance)
	if err == nil && call.LeaseEpoch == 0 {
		err = i.Take(ctx)
	}
	if err == nil {
		err = i.Lease(ctx, call.LeaseEpoch)
	}
	if err != nil {
		return oneInstance{}, problem.Of(err)
	}
	p.pauses.Reload(ctx, in.Instance) // another process may have had the instance
	phone := ""
	if in.Method == "code" {
		phone = in.Phone
	}
	ctx, cancel := context.WithTimeout(ctx, in.Timeout.duration())
	defer cancel()
	err = i.Connect(ctx, phone, func(s pool.Prompt) { call.Progress(s.Stage, stageText[s.Stage], s) })
	if err != nil {
		return oneInstance{}, pairProblem(err)
	}
	return oneInstance{n.process.Load().describe(i)}, nil
}

// stageText tells people what a pairing is waiting for.
var stageText = map[string]string{
	pool.StageQR:         "Scan the code: WhatsApp, Linked devices, Link a device",
	pool.StageCode:       "Type the code on the phone: WhatsApp, Linked devices, Link with phone number",
	pool.StagePasskey:    "The account asks for its passkey",
	pool.StageConfirm:    "Compare the code with the one on the phone",
	pool.StagePaired:     "The phone agreed",
	pool.StageConnecting: "Logging in",
}

// onInstance returns an operation that calls one method of an instance.
func onInstance(n *node, do func(*pool.Instance, context.Context) error) func(context.Context, *sdk.Call, named) (oneInstance, error) {
	return func(ctx context.Context, call *sdk.Call, in named) (oneInstance, error) {
		i, err := n.process.Load().pool.Under(ctx, in.Instance, call.LeaseEpoch)
		if err == nil {
			err = do(i, ctx)
		}
		if err != nil {
			return oneInstance{}, problem.Of(err)
		}
		return oneInstance{n.process.Load().describe(i)}, nil
	}
}

func (n *node) deleteInstance(ctx context.Context, call *sdk.Call, in named) (deleted, error) {
	p := n.process.Load().pool
	i, err := p.Under(ctx, in.Instance, call.LeaseEpoch)
	if err == nil {
		err = p.Delete(ctx, in.Instance)
	}
	if err != nil && !errors.Is(err, sqldb.ErrNotFound) || i == nil {
		return deleted{}, problem.Of(err)
	}
	return deleted{Instance: in.Instance, Deleted: true}, nil
}

func (n *node) resumeNewContacts(ctx context.Context, call *sdk.Call, in named) (oneInstance, error) {
	p := n.process.Load()
	i, err := p.pool.Under(ctx, in.Instance, call.LeaseEpoch)
	if err == nil {
		err = p.pauses.Resume(ctx, in.Instance)
	}
	if err != nil {
		return oneInstance{}, problem.Of(err)
	}
	return oneInstance{p.describe(i)}, nil
}
