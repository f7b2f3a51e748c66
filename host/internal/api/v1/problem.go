package v1

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tapnode/tapnode/internal/jsonstrict"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
)

// problem is a refusal or a failure: RFC 9457 with two members of our own, code and errors.
type problem struct {
	Title     string     `json:"title" doc:"The HTTP status in words."`
	Status    int        `json:"status" doc:"The HTTP status."`
	Code      string     `json:"code" doc:"What it is, for programs. Stable."`
	Detail    string     `json:"detail" doc:"What it is and what to do, for people."`
	Effect    sdk.Effect `json:"effect,omitempty" enum:"NONE,UNKNOWN,DONE" doc:"Of a call of a node: whether anything happened."`
	Fault     sdk.Fault  `json:"fault,omitempty" enum:"CALLER,DOWNSTREAM,NODE" doc:"Of a call of a node: whose it is."`
	Retryable bool       `json:"retryable,omitempty" doc:"Of a call of a node: the same call can work later."`
	Errors    []fault    `json:"errors,omitempty" doc:"Everything that is wrong with the request, by place."`

	header http.Header
}

// fault is one thing wrong with a request.
type fault struct {
	Pointer    string        `json:"pointer" doc:"RFC 6901 JSON Pointer into the body; empty is the whole body."`
	Parameter  string        `json:"parameter,omitempty" doc:"The parameter of the path, the query or the header that is wrong, when it is not the body."`
	Node       string        `json:"node,omitempty" doc:"In a flow file, the node that it is in."`
	Line       int           `json:"line,omitempty" doc:"In a flow file, counted from 1."`
	Column     int           `json:"column,omitempty" doc:"In a flow file, counted from 1; of faults of syntax."`
	Severity   flow.Severity `json:"severity,omitempty" enum:"error,warning" doc:"In a flow file; a warning refuses nothing."`
	Code       string        `json:"code" doc:"What it is, for programs. Stable."`
	Message    string        `json:"message" doc:"What is wrong."`
	Suggestion string        `json:"suggestion,omitempty" doc:"What to do."`
}

func refuse(status int, code, detail string, faults ...fault) *problem {
	return &problem{Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Errors: faults}
}

// with adds a header to the answer.
func (p *problem) with(name, value string) *problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// Error returns the detail.
func (p *problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *problem) GetHeaders() http.Header { return p.header }

// ContentType implements huma.ContentTypeFilter.
func (p *problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// write answers with a problem outside huma.
func write(w http.ResponseWriter, p *problem) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemType)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime)) // not every writer supports deadlines
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // fails only when the client is gone
}

// Refuse answers a request that Options.Authorize does not let pass.
func Refuse(w http.ResponseWriter, status int, code, detail string) {
	write(w, refuse(status, code, detail))
}

// problems makes huma report errors as our problems. The hook is a package variable of huma, so it is
// set once.
var problems = sync.OnceFunc(func() {
	huma.NewError = func(status int, detail string, errs ...error) huma.StatusError {
		if len(errs) == 1 {
			if p, ok := errors.AsType[*problem](errs[0]); ok {
				return p
			}
		}
		p := refuse(http.StatusBadRequest, "invalid_request", "the request is not what this takes: "+detail)
		if status >= http.StatusInternalServerError || status == 0 {
			p = refuse(http.StatusInternalServerError, "internal", "it could not be done; try again")
		}
		for _, err := range errs {
			p.Errors = append(p.Errors, faultOf(err))
		}
		return p
	}
})

// faultOf converts an error of huma. It is always about a parameter, since huma reads no bodies here.
func faultOf(err error) fault {
	f := fault{Code: "invalid", Message: err.Error()}
	if d, ok := errors.AsType[*huma.ErrorDetail](err); ok {
		_, f.Parameter, _ = strings.Cut(d.Location, ".")
		f.Message = d.Message
		if d.Message == "unknown query parameter" {
			f.Code = "unknown_parameter"
		}
	}
	return f
}

// faultsOf converts the errors of the strict JSON reader.
func faultsOf(errs ...jsonstrict.Error) []fault {
	var out []fault
	for _, e := range errs {
		out = append(out, fault{Pointer: e.Pointer, Code: string(e.Code), Message: e.Message, Suggestion: e.Suggestion})
	}
	return out
}
