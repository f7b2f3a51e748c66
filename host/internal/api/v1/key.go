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
	// maxKey limits an Idempotency-Key, in bytes.
	maxKey = 200
)

// keyParameter describes the header for routes whose input does not have it.
var keyParameter = &huma.Param{Name: keyHeader, In: "header", Schema: &huma.Schema{Type: huma.TypeString},
	Description: "Makes the request safe to repeat: a repeat with the same key and body within a day is answered as the first was, and does not act again. A key is its token's own; with another body it is a 422."}

// checkKey refuses an invalid Idempotency-Key.
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

// always is route.acts of requests whose every repeat would act again.
func always(*http.Request) bool { return true }

// key binds an Idempotency-Key to its caller, so that the same key of two callers counts as two keys.
// The owner's keys stay unchanged, since tapnode call uses them also without a running host.
func (a *API) key(ctx context.Context, given string) string {
	caller := a.caller(ctx).ID
	if caller == "" || given == "" {
		return given
	}
	sum := sha256.Sum256([]byte(caller + "\x00" + given))
	return "v1:" + base64.RawURLEncoding.EncodeToString(sum[:])
}
