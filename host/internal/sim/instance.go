package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// business is the number of the first instance; the next ones count up.
const business = 5511300000000

const connect = "whatsapp.instance.connect@1"

// Execute calls an operation of the node under simulation.
type Execute func(ctx context.Context, r client.Request, progress func(client.Progress)) (client.Result, error)

// Connect creates the instance if it does not exist, and connects it. The instance's
// simulated phone scans the QR code if the node shows one.
func (s *Simulation) Connect(ctx context.Context, execute Execute, instance string) error {
	input, err := json.Marshal(map[string]string{"instance": instance})
	if err != nil {
		return err
	}
	execute = patient(execute)
	_, err = execute(ctx, client.Request{Operation: "whatsapp.instance.create@1", Input: input}, nil)
	if p := new(sdk.Problem); err != nil && (!errors.As(err, &p) || p.HTTPStatus != http.StatusConflict) {
		return fmt.Errorf("create instance %s: %w", instance, err)
	}
	err = s.pair(ctx, execute, instance, input)
	if p := new(sdk.Problem); errors.As(err, &p) && p.Code == "logged_out" {
		// It was paired with the server of an earlier simulation.
		err = s.pair(ctx, execute, instance, input)
	}
	if err != nil {
		return fmt.Errorf("connect instance %s: %w", instance, err)
	}
	return nil
}

// awayTime is how long an instance may take to move from one host to another.
const awayTime = time.Minute

// patient repeats a call while an instance moves between hosts. It also helps when hosts start
// together: one creates the instance, and may not listen yet when the others call it.
func patient(execute Execute) Execute {
	return func(ctx context.Context, r client.Request, progress func(client.Progress)) (client.Result, error) {
		for end := time.Now().Add(awayTime); ; {
			result, err := execute(ctx, r, progress)
			p, ok := errors.AsType[*sdk.Problem](err)
			if !ok || p.Code != "instance_away" || time.Now().After(end) {
				return result, err
			}
			select {
			case <-time.After(max(p.RetryAfter, time.Second)):
			case <-ctx.Done():
				return result, err
			}
		}
	}
}

func (s *Simulation) pair(ctx context.Context, execute Execute, instance string, input []byte) error {
	var scan error
	result, err := execute(ctx, client.Request{Operation: connect, Input: input}, func(p client.Progress) {
		var data struct {
			QR string `json:"qr"`
		}
		if p.Stage == "qr" && json.Unmarshal(p.Data, &data) == nil && data.QR != "" {
			scan = s.scan(ctx, instance, data.QR)
		}
	})
	if err != nil {
		return errors.Join(err, scan)
	}
	var out struct {
		Instance struct {
			Phone string `json:"phone"`
		} `json:"instance"`
	}
	if err := json.Unmarshal(result.Output, &out); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instances[instance] = out.Instance.Phone
	return nil
}

func (s *Simulation) scan(ctx context.Context, instance, code string) error {
	number, err := s.account(ctx, instance)
	if err != nil {
		return err
	}
	return s.control.call(ctx, "accounts/"+number+"/scan", map[string]string{"qr": code}, nil)
}

// account is the number for an instance to pair with: the one it has had in this
// simulation, or that of an account with its name and no linked device, or a new one.
// It does not use an account of another host, because people's phones know its devices.
func (s *Simulation) account(ctx context.Context, instance string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number, ok := s.instances[instance]; ok {
		return number, nil
	}
	all, err := s.control.accounts(ctx)
	if err != nil {
		return "", err
	}
	for _, a := range all {
		if a.Kind == "account" && a.Name == instance && len(a.Devices) == 1 { // the phone
			s.instances[instance] = a.Number
			return a.Number, nil
		}
	}
	for next := business; ; next++ {
		var made account
		err := s.control.call(ctx, "accounts", map[string]string{"number": fmt.Sprint(next), "name": instance}, &made)
		if err == nil {
			s.instances[instance] = made.Number
			return made.Number, nil
		}
		if !taken(err) {
			return "", fmt.Errorf("simulated account for instance %s: %w", instance, err)
		}
	}
}

// Numbers returns the phone numbers of the instances that were connected, by instance.
func (s *Simulation) Numbers() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.instances)
}
