package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// maxAnswer bounds a response of the control API, in bytes.
const maxAnswer = 16 << 20

// control is a client of the control API of a simulator, which may run in another process.
type control struct {
	base *url.URL // of the simulator, without a path
	http *http.Client
}

func newControl(base *url.URL) *control {
	return &control{base, &http.Client{Transport: &http.Transport{IdleConnTimeout: time.Minute}, Timeout: 2 * time.Minute}}
}

func (c *control) close() { c.http.CloseIdleConnections() }

// refusal is the simulator's response to a request that it did not carry out.
type refusal struct {
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func (r *refusal) Error() string { return r.Detail }

func taken(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.Status == http.StatusConflict
}

// call makes one request below wasim.ControlPath. in is the body, nil for a GET; out is
// filled from the answer, unless nil.
func (c *control) call(ctx context.Context, path string, in, out any) error {
	method, body := http.MethodGet, []byte(nil)
	if in != nil {
		var err error
		method = http.MethodPost
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	target, err := c.base.Parse(wasim.ControlPath + path)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("the simulator at %s does not answer: %w", c.base, errors.Unwrap(err))
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("the simulator at %s: %w", c.base, err)
	}
	if res.StatusCode >= 300 {
		r := &refusal{Detail: http.StatusText(res.StatusCode)}
		_ = json.Unmarshal(raw, r) // another server may answer in another format
		r.Status = res.StatusCode
		return r
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s is not a WhatsApp simulator: %w", c.base, err)
	}
	return nil
}

// account is a phone number in the simulator.
type account struct {
	Number string `json:"number"`
	Name   string `json:"name"`
	Kind   string `json:"kind"` // account, phone or foreign

	Devices []struct{} `json:"devices"`
}

func (c *control) accounts(ctx context.Context) (all []account, err error) {
	return all, c.call(ctx, "accounts", nil, &all)
}

// message is a message that a phone shows.
type message struct {
	ID   string `json:"id"`
	Chat string `json:"chat"` // the number, or the JID of a group
}
