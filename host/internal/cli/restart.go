package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// tokenEnv names the environment variable with the account token of commands to a running server,
// since an argument would show in the list of processes.
const tokenEnv = "TAPNODE_TOKEN"

// restartTimeout is longer than a drain and a slow start together.
const restartTimeout = 2 * time.Minute

// restartNode asks a running server to restart a node, which is the way out of quarantine.
func restartNode(ctx context.Context, c console, server, name string) error {
	base, err := url.Parse(server)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return invalid("--server %.80q is not a URL such as http://127.0.0.1:8080", server)
	}
	token := os.Getenv(tokenEnv)
	if token == "" {
		return invalid("set %s to an account token of that server; tapnode tokens create makes one", tokenEnv)
	}
	ctx, cancel := context.WithTimeout(ctx, restartTimeout)
	defer cancel()
	target := base.JoinPath("v1", "nodes", url.PathEscape(name), "restart").String()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, nil)
	if err != nil {
		return invalid("%w", err)
	}
	req.Header.Set("token", token)
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck // it is one
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return environment(fmt.Errorf("no server answers at %s: %w; name it with --server", server, errors.Unwrap(err)))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return environment(err)
	}
	if res.StatusCode != http.StatusOK {
		return refused(res.StatusCode, body)
	}
	var node struct {
		State string `json:"state"`
		PID   int    `json:"pid"`
	}
	if err := json.Unmarshal(body, &node); err != nil {
		return environment(fmt.Errorf("%s is not a tapnode server: %w", server, err))
	}
	fmt.Fprintf(c.out, "%s is %s, process %d\n", name, node.State, node.PID)
	return nil
}

// refused turns the server's refusal into an error.
func refused(status int, body []byte) error {
	var said struct {
		Detail string `json:"detail"`
		Error  struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	_ = json.Unmarshal(body, &said) // a body that is not ours is ignored
	why := strings.TrimSpace(said.Detail + said.Error.Message)
	if why == "" {
		why = http.StatusText(status)
	}
	err := fmt.Errorf("the server answered %d: %s", status, why)
	if status == http.StatusServiceUnavailable {
		return err
	}
	return &exit{exitInvalid, err}
}
