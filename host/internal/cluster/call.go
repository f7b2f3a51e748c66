package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

const (
	// dialTime is how long connecting to a host may take.
	dialTime = 2 * time.Second
	// callTime limits a call, and is the deadline of one without.
	callTime = 5 * time.Minute
	// withinHeader has the time that is left for a call, in milliseconds.
	withinHeader = "Tapnode-Within"
	// maxLine limits one line of an answer: a message of a node, which JSON may make larger by half.
	maxLine = 2 * sdk.MaxMessage
)

// ErrNotOwner means that the called host does not act for the subject of the call: nothing happened there.
var ErrNotOwner = errors.New("the host does not own it any more")

// asked is a call as it is sent to the owner.
type asked struct {
	Operation   string `json:"operation"`
	Input       []byte `json:"input"`
	Key         string `json:"key"`
	Correlation string `json:"correlation"`
	Traceparent string `json:"traceparent"`
}

// told is a line of the answer: progress, or one of the other three in the last line.
type told struct {
	Progress *client.Progress `json:"progress,omitempty"`
	Result   *result          `json:"result,omitempty"`
	Problem  *sdk.Problem     `json:"problem,omitempty"`
	Lost     *lost            `json:"lost,omitempty"`
}

type result struct {
	Output   sdk.JSON      `json:"output"`
	Warnings []sdk.Warning `json:"warnings,omitempty"`
	Replayed bool          `json:"replayed,omitempty"`
}

// lost means that the owner does not know the outcome of the call either.
type lost struct {
	Op      string     `json:"op"`
	Code    codes.Code `json:"code"`
	Message string     `json:"message"`
}

// Call makes another host run a call. Its errors are those of client.Execute, and [ErrNotOwner].
func (m *Member) Call(ctx context.Context, h Host, r client.Request, progress func(client.Progress)) (client.Result, error) {
	body, err := json.Marshal(asked{r.Operation, r.Input, r.Key, r.Correlation, r.Traceparent})
	if err != nil {
		return client.Result{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+h.Address+"/call", bytes.NewReader(body))
	if err != nil {
		return client.Result{}, err
	}
	left := callTime
	if end, ok := ctx.Deadline(); ok {
		left = time.Until(end)
	}
	req.Header.Set(withinHeader, strconv.FormatInt(max(left.Milliseconds(), 1), 10))
	res, err := m.peers.client.Do(req)
	if err != nil {
		return client.Result{}, unreached(err)
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusMisdirectedRequest:
		return client.Result{}, ErrNotOwner
	default:
		return client.Result{}, transport(codes.FailedPrecondition, fmt.Errorf("the owner of the instance answers %s", res.Status))
	}
	lines := json.NewDecoder(io.LimitReader(res.Body, 1<<30))
	for {
		var line told
		if err := lines.Decode(&line); err != nil {
			return client.Result{}, transport(codes.Unavailable, fmt.Errorf("the host of the instance was lost: %w", err))
		}
		switch {
		case line.Progress != nil:
			if progress != nil {
				progress(*line.Progress)
			}
		case line.Result != nil:
			return client.Result{Output: line.Result.Output, Warnings: line.Result.Warnings, Replayed: line.Result.Replayed}, nil
		case line.Problem != nil:
			return client.Result{}, line.Problem
		case line.Lost != nil:
			return client.Result{}, &client.TransportError{Op: line.Lost.Op, Code: line.Lost.Code, Err: errors.New(line.Lost.Message)}
		}
	}
}

// unreached distinguishes a call that did not leave, which may be repeated, from one that may have left.
func unreached(err error) error {
	if _, ok := errors.AsType[*undialled](err); ok {
		return &sdk.Problem{
			Code: "node_unavailable", HTTPStatus: http.StatusServiceUnavailable, Message: "the host that has the instance cannot be reached; another takes over within seconds",
			Effect: sdk.EffectNone, Retryable: true, RetryAfter: time.Second, Fault: sdk.FaultNode, Err: err,
		}
	}
	return transport(codes.Unavailable, err)
}

func transport(code codes.Code, err error) error {
	return &client.TransportError{Op: "call another host", Code: code, Err: err}
}

// serveCall runs a call for another host.
func (p *peers) serveCall(w http.ResponseWriter, r *http.Request) {
	var in asked
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxLine)).Decode(&in); err != nil {
		http.Error(w, "the call cannot be read", http.StatusBadRequest)
		return
	}
	ms, err := strconv.ParseInt(r.Header.Get(withinHeader), 10, 64)
	if err != nil || ms <= 0 {
		ms = callTime.Milliseconds()
	}
	ctx, cancel := context.WithTimeout(r.Context(), min(time.Duration(ms)*time.Millisecond, callTime))
	defer cancel()
	out, flush := json.NewEncoder(w), http.NewResponseController(w).Flush
	out.SetEscapeHTML(false)
	say := func(line told) {
		// A caller that misses a line repeats the call with the same key.
		if out.Encode(line) == nil {
			_ = flush()
		}
	}
	res, err := p.member.opt.Execute(ctx, client.Request{Operation: in.Operation, Input: in.Input, Key: in.Key, Correlation: in.Correlation, Traceparent: in.Traceparent},
		func(news client.Progress) { say(told{Progress: &news}) })
	problem, isProblem := errors.AsType[*sdk.Problem](err)
	gone, isGone := errors.AsType[*client.TransportError](err)
	switch {
	case err == nil:
		say(told{Result: &result{res.Output, res.Warnings, res.Replayed}})
	case errors.Is(err, ErrNotOwner):
		w.WriteHeader(http.StatusMisdirectedRequest)
	case isProblem:
		say(told{Problem: problem})
	case isGone:
		say(told{Lost: &lost{gone.Op, gone.Code, gone.Error()}})
	default:
		say(told{Lost: &lost{"execute", codes.Unknown, err.Error()}})
	}
}
