package node

import (
	"context"
	"net/http"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/sdk"
)

// header is the media above a menu.
type header struct {
	url  string
	kind buttons.MediaType
}

// upload fetches the header and hands it to WhatsApp's media servers.
func (p *process) upload(context.Context, *sdk.Call, *pool.Instance, delivery) (*buttons.Media, error) {
	return nil, problem(http.StatusNotImplemented, "media_unsupported", sdk.FaultNode, "This build sends no media headers; leave mediaUrl out")
}
