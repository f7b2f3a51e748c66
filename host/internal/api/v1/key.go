package v1

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tapnode/tapnode/host/internal/engine"
)

const (
	keyHeader = "Idempotency-Key"
	// maxKey bounds an Idempotency-Key, in bytes.
	maxKey = 200
)

// keyParameter describes the header where the handler does not read it itself.
var keyParameter = &huma.Param{Name: keyHeader, In: "header", Schema: &huma.Schema{Type: huma.TypeString},
	Description: "Makes the request safe to repeat: a repeat with the same key and body within a day is answered as the first was, and does not act again. A key is its token's own; with another body it is a 422."}

// checkKey says what is wrong with the Idempotency-Key of a request.
func checkKey(r *http.Request) *problem {
	keys := r.Header.Values(keyHeader)
	var mistake string
	switch {
	case len(keys) == 0:
		return nil
	case len(keys) > 1:
		mistake = "it is given more than once"
	case keys[0] == "" || len(keys[0]) > maxKey:
		mistake = fmt.Sprintf("it must have 1 to %d bytes", maxKey)
	case !text(keys[0]):
		mistake = "it is not UTF-8"
	case strings.HasPrefix(keys[0], engine.RunKeys):
		mistake = fmt.Sprintf("it begins with %q, as the keys of flows do; take another", engine.RunKeys)
	default:
		return nil
	}
	return refuse(http.StatusBadRequest, "invalid_key", "the Idempotency-Key cannot be used: "+mistake, fault{Parameter: keyHeader, Code: "invalid", Message: mistake})
}

// always is for requests that act whatever they say.
func always(*http.Request) bool { return true }

// key is a caller's key as nobody else can have it: the same key of two callers is two keys. Those of
// the host's owner are as they are, since tapnode call uses them also where no host runs.
func (a *API) key(ctx context.Context, given string) string {
	caller := a.caller(ctx).ID
	if caller == "" || given == "" {
		return given
	}
	sum := sha256.Sum256([]byte(caller + "\x00" + given))
	return "v1:" + base64.RawURLEncoding.EncodeToString(sum[:])
}
