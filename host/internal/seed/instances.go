package seed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"
)

// owned is an instance as the node describes it.
type owned struct {
	Name        string     `json:"name"`
	State       string     `json:"state"`
	LID         *string    `json:"lid"`
	Phone       *string    `json:"phone"`
	PushName    *string    `json:"pushName"`
	CreatedAt   time.Time  `json:"createdAt"`
	ConnectedAt *time.Time `json:"connectedAt"`
	NewContacts *pause     `json:"newContacts"`
	LastError   *trouble   `json:"lastError"`
}

// pause is a period in which the instance writes only to people who wrote to it first.
type pause struct {
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
}

type trouble struct {
	Code    string     `json:"code"`
	Message string     `json:"message"`
	At      time.Time  `json:"at"`
	Until   *time.Time `json:"until,omitempty"`
}

// instance is an instance as clients read it. Some clients read connection and profile, others the
// members at the top level. The seed does not have NewContacts and LastError.
type instance struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Token       string     `json:"token,omitempty"`
	Status      string     `json:"status"`
	NumberJID   *string    `json:"numberJid"`
	LID         *string    `json:"lid"`
	Connection  connection `json:"connection"`
	Profile     profile    `json:"profile"`
	CreatedAt   time.Time  `json:"createdAt"`
	UpdatedAt   time.Time  `json:"updatedAt"`
	NewContacts *pause     `json:"newContacts,omitempty"`
	LastError   *trouble   `json:"lastError,omitempty"`
}

type connection struct {
	State     string  `json:"state"`
	NumberJID *string `json:"numberJid"`
}

type profile struct {
	Name string `json:"name"`
}

// states maps the node's states to the ones that every client knows.
var states = map[string]string{
	"new": "disconnected", "pairing": "connecting", "connecting": "connecting", "connected": "connected",
	"disconnected": "disconnected", "logged_out": "loggedout", "banned": "banned", "replaced": "disconnected",
}

// shown is an instance in the seed's form. An instance that is deleted and created again under the
// same name gets another id.
func (o owned) shown(token string) instance {
	id := sha256.Sum256([]byte(o.Name + "\x00" + o.CreatedAt.UTC().Format(time.RFC3339Nano)))
	out := instance{
		ID: hex.EncodeToString(id[:16]), Name: o.Name, Token: token, Status: states[o.State], LID: o.LID,
		CreatedAt: o.CreatedAt, UpdatedAt: o.CreatedAt, NewContacts: o.NewContacts, LastError: o.LastError,
	}
	if o.Phone != nil {
		jid := *o.Phone + "@s.whatsapp.net"
		out.NumberJID = &jid
	}
	if o.PushName != nil {
		out.Profile.Name = *o.PushName
	}
	if o.ConnectedAt != nil {
		out.UpdatedAt = *o.ConnectedAt
	}
	if o.LastError != nil && o.LastError.At.After(out.UpdatedAt) {
		out.UpdatedAt = o.LastError.At
	}
	out.Connection = connection{out.Status, out.NumberJID}
	return out
}

// named is the input of the node's operations on one instance; "" means all instances.
type named struct {
	Instance string `json:"instance,omitempty"`
}

type oneInstance struct {
	Instance owned `json:"instance"`
}

// all returns the node's instances: all of them, or exactly the one with the given name.
func (a *API) all(ctx context.Context, name string) ([]owned, error) {
	var out struct {
		Instances []owned `json:"instances"`
	}
	err := a.run(ctx, "whatsapp.instance.list@1", named{name}, &out)
	if err == nil && name != "" && len(out.Instances) == 0 { // only a foreign node does this; callers rely on one instance
		err = refuse(http.StatusNotFound, "instance_not_found", "Instance not found")
	}
	return out.Instances, err
}

// Exists returns nil if the instance exists, otherwise why it cannot be used.
func (a *API) Exists(ctx context.Context, name string) error {
	_, err := a.all(ctx, name)
	return err
}

func (a *API) create(ctx context.Context, r Request) (Answer, error) {
	var asked struct {
		Name           string    `json:"name"`
		WebhookEnabled *bool     `json:"webhookEnabled"`
		WebhookURL     string    `json:"webhookURL"`
		WebhookEvents  *[]string `json:"webhookEvents"`
		MediaBase64    *bool     `json:"webhookMediaBase64"`
	}
	warnings, err := decode(r.Body, &asked)
	if err != nil {
		return Answer{}, err
	}
	if asked.Name == "" {
		return Answer{}, refuse(http.StatusBadRequest, "invalid_request", "Instance name is required")
	}
	var hook *webhook
	if asked.WebhookURL != "" {
		enabled := true
		if asked.WebhookEnabled != nil {
			enabled = *asked.WebhookEnabled
		}
		hook = &webhook{Label: defaultLabel, Events: []string{}}
		change := webhookChange{Enabled: &enabled, URL: &asked.WebhookURL, Events: asked.WebhookEvents, MediaBase64: asked.MediaBase64}
		if err := change.apply(hook, a.hooks.CheckURL); err != nil {
			return Answer{}, err
		}
	}
	var made oneInstance
	if err := a.run(ctx, "whatsapp.instance.create@1", named{asked.Name}, &made); err != nil {
		return Answer{}, err
	}
	// The instance exists now, so the rest must not be cancelled when the client disconnects.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	rotation, err := a.store.renew(ctx, asked.Name, hook)
	if err != nil {
		return Answer{}, stored(err)
	}
	shown := made.Instance.shown(a.tokenFor(r.Caller, asked.Name, rotation))
	return Answer{Status: http.StatusCreated, Message: "Instance created successfully", State: shown.Status,
		Members: map[string]any{"instance": shown}, Data: shown, Warnings: warnings}, nil
}

func (a *API) list(ctx context.Context, r Request) (Answer, error) {
	name := r.Query.Get("instanceName")
	if name != "" && !r.Caller.Covers(name) {
		return Answer{}, refuse(http.StatusForbidden, "forbidden", "Instance token does not match the instance")
	}
	if name == "" && len(r.Caller.Instances) == 1 {
		name = r.Caller.Instances[0]
	}
	found, err := a.all(ctx, name)
	if err != nil && !isStatus(err, http.StatusNotFound) && !isStatus(err, http.StatusBadRequest) { // 400: no instance can have this name
		return Answer{}, err
	}
	rotations, err := a.rotations(ctx, name, found)
	if err != nil {
		return Answer{}, stored(err)
	}
	shown := make([]instance, 0, len(found))
	for _, one := range found {
		if !r.Caller.Covers(one.Name) {
			continue
		}
		shown = append(shown, one.shown(a.tokenFor(r.Caller, one.Name, rotations[one.Name])))
	}
	members := map[string]any{"instances": shown, "meta": map[string]int{"total": len(shown)}}
	return Answer{Message: "Instances listed successfully", Members: members, Data: shown}, nil
}

// rotations returns the rotations of the instances that were found. If all instances were asked for
// (name is ""), it also removes the rows of instances that do not exist any more.
func (a *API) rotations(ctx context.Context, name string, found []owned) (all map[string]string, err error) {
	if name != "" {
		all = map[string]string{}
		for _, one := range found { // at most one
			if all[one.Name], err = a.store.rotationOf(ctx, one.Name); err != nil {
				return nil, err
			}
		}
		return all, nil
	}
	names := make([]string, 0, len(found))
	for _, one := range found {
		names = append(names, one.Name)
	}
	if all, err = a.store.rotations(ctx, names); err == nil {
		err = a.store.prune(ctx, all, names)
	}
	return all, err
}

// Renew discards what the host has stored under the name of an instance that was just created, and
// returns the token of the new one.
func (a *API) Renew(ctx context.Context, name string) (token string, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	rotation, err := a.store.renew(ctx, name, nil)
	return a.token(name, rotation), stored(err)
}

// Forget removes what the host has stored for an instance that was deleted.
func (a *API) Forget(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	return stored(a.store.forget(ctx, name))
}

// Rotate gives an instance a new token, which replaces the old one.
func (a *API) Rotate(ctx context.Context, name string) (token string, err error) {
	if err := a.Exists(ctx, name); err != nil {
		return "", err
	}
	rotation, err := a.store.rotate(ctx, name)
	return a.token(name, rotation), stored(err)
}

// Token is an instance's current token. An instance that has none stored gets one.
func (a *API) Token(ctx context.Context, name string) (string, error) {
	rotation, err := a.store.rotationOf(ctx, name)
	return a.token(name, rotation), stored(err)
}

func (a *API) logout(ctx context.Context, r Request) (Answer, error) {
	var out oneInstance
	if err := a.run(ctx, "whatsapp.instance.logout@1", named{r.Instance}, &out); err != nil {
		return Answer{}, err
	}
	shown := out.Instance.shown("")
	return Answer{Message: "Instance logged out successfully", State: shown.Status, Members: map[string]any{"instance": shown}, Data: shown}, nil
}

func (a *API) remove(ctx context.Context, r Request) (Answer, error) {
	var out struct {
		Instance string `json:"instance"`
	}
	err := a.run(ctx, "whatsapp.instance.delete@1", named{r.Instance}, &out)
	if err != nil && !isStatus(err, http.StatusNotFound) {
		return Answer{}, err
	}
	// Even if the node has no such instance: the host may still have data of it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	if lost := a.store.forget(ctx, r.Instance); lost != nil {
		return Answer{}, stored(lost)
	}
	return Answer{Message: "Instance deleted successfully", Members: map[string]any{"instance": out.Instance}}, err
}
