package send

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/media"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/problem"
	"github.com/tapnode/tapnode/sdk"
)

// header is the media above a menu.
type header struct {
	url  string
	kind buttons.MediaType
}

// upload fetches the header and hands it to WhatsApp's media servers, or finds that
// it did so for the same file before.
func (s *Sender) upload(ctx context.Context, call *sdk.Call, inst *pool.Instance, o order, to types.JID) (*buttons.Media, error) {
	cli, err := inst.Client()
	if err != nil {
		return nil, problem.Disconnected()
	}
	ctx, cancel := context.WithTimeout(ctx, 2*s.MediaTime) // to fetch, and to upload
	defer cancel()
	progress := func(stage string, done, total int64) {
		call.Progress(stage, "", map[string]int64{"bytes": done, "total": total})
	}
	var m *buttons.Media
	if to.Server == types.NewsletterServer {
		m, err = s.Media.ChannelHeader(ctx, cli, o.instance, o.header.url, o.header.kind, progress)
	} else {
		m, err = s.Media.Header(ctx, cli, o.instance, o.header.url, o.header.kind, progress)
	}
	if err != nil {
		return nil, mediaProblem(err)
	}
	return m, nil
}

func mediaProblem(err error) error {
	var failed *media.Error
	if !errors.As(err, &failed) {
		return err
	}
	if failed.Caller() {
		p := problem.Invalid("/mediaUrl", "MediaURL: "+failed.Message, "")
		p.Violations[0].Code = string(failed.Reason)
		if failed.Retry {
			return problem.Retryable(p, 10*time.Second)
		}
		return p
	}
	fault := sdk.FaultDownstream
	if failed.Reason == media.Internal {
		fault = sdk.FaultNode
	}
	p := problem.New(http.StatusInternalServerError, "send_failed", fault, "Failed to send buttons message: "+failed.Message)
	p.Err, p.Retryable = failed.Err, failed.Retry
	return p
}
