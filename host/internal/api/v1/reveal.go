package v1

import (
	"context"
	"net/http"
)

// revealed says whether a request asks for what customers and flows said, and may have it.
func (a *API) revealed(ctx context.Context, asked bool) (bool, error) {
	if asked && !a.caller(ctx).Reveal {
		return false, refuse(http.StatusForbidden, "not_revealed", "numbers and texts need a token with the scope reveal")
	}
	return asked, nil
}
