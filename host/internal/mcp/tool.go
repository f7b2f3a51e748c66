package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/tapnode/tapnode/host/internal/api/v1"
)

// tool is a tool of the protocol, with the request that it stands for.
type tool struct {
	about *mcpsdk.Tool
	needs []v1.Right // that its caller must have
	all   bool       // only for callers that may work with all instances
	call  func(c *call) *mcpsdk.CallToolResult
}

// call is one call of a tool.
type call struct {
	server    *Server
	ctx       context.Context // of the call; it also ends with the request
	request   *mcpsdk.CallToolRequest
	http      *http.Request // that contains the call
	arguments []byte
	key       string // idempotency key
	steps     float64
}

// may says whether a caller may use a tool. It only decides which tools are listed; the API decides what a
// call may do.
func (t tool) may(c v1.Caller) bool {
	lacks := func(r v1.Right) bool { return c.Rights != nil && !slices.Contains(c.Rights, r) }
	return !slices.ContainsFunc(t.needs, lacks) && (len(c.Instances) == 0 || !t.all)
}

// all returns every tool of the host.
func (s *Server) all() ([]tool, error) {
	var out []tool
	for _, op := range s.opt.Operations {
		t, ok := operation(op)
		if ok {
			out = append(out, t)
		}
	}
	if !s.opt.Seed {
		return out, nil
	}
	seeds, err := seedTools(s.opt.Operations)
	return append(out, seeds...), err
}

// restrict lists only the tools that a caller may use, and refuses subscriptions.
func (s *Server) restrict(next mcpsdk.MethodHandler) mcpsdk.MethodHandler {
	return func(ctx context.Context, method string, req mcpsdk.Request) (mcpsdk.Result, error) {
		if method == "subscriptions/listen" { // it would hold a request open for ever, and tools do not change
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: "nothing can be subscribed to here"}
		}
		result, err := next(ctx, method, req)
		if list, ok := result.(*mcpsdk.ListToolsResult); ok && err == nil {
			caller := s.opt.CallerOf(ctx)
			list.Tools = slices.DeleteFunc(list.Tools, func(t *mcpsdk.Tool) bool { return !s.tools[t.Name].may(caller) })
		}
		return result, err
	}
}

// handle returns the handler for calls of a tool.
func (s *Server) handle(t tool) mcpsdk.ToolHandler {
	return func(ctx context.Context, req *mcpsdk.CallToolRequest) (*mcpsdk.CallToolResult, error) {
		outer, ok := ctx.Value(httpKey{}).(*http.Request)
		if !ok {
			return nil, fmt.Errorf("a call of %s came by no request", t.about.Name)
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(outer.Context(), cancel)()
		c := &call{server: s, ctx: ctx, request: req, http: outer, arguments: req.Params.Arguments}
		if len(c.arguments) == 0 {
			c.arguments = []byte("{}")
		}
		key, given := req.Params.Meta[keyName]
		if c.key, ok = key.(string); given && !ok {
			return refused("invalid_arguments", "the idempotency key in _meta is not a text", ""), nil
		}
		return t.call(c), nil
	}
}

// keyName is the member of _meta, and the argument of the seed's tools, that holds an idempotency key.
const keyName = "idempotencyKey"

// progress notifies the client of the call's progress, if it asked for that. picture may be nil.
func (c *call) progress(message string, picture *mcpsdk.ImageContent) {
	token := c.request.Params.GetProgressToken()
	if token == nil {
		return
	}
	c.steps++
	params := &mcpsdk.ProgressNotificationParams{ProgressToken: token, Message: message, Progress: c.steps}
	if picture != nil {
		if raw, err := json.Marshal(picture); err == nil {
			params.Meta = mcpsdk.Meta{"image": json.RawMessage(raw)}
		}
	}
	_ = c.request.Session.NotifyProgress(c.ctx, params) // fails only when the client is gone
}
