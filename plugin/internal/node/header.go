package node

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/media"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/sdk"
)

// header is the media above a menu.
type header struct {
	url  string
	kind buttons.MediaType
}

// everywhere opens all addresses to mediaUrl, private ones included.
var everywhere = []string{"0.0.0.0/0", "::/0"}

func openMedia(s settings, dir string, cache *store.Store) (*media.Loader, error) {
	o := media.Options{
		Dir: filepath.Join(dir, "media"), MaxBytes: s.Media.MaxBytes, Timeout: s.Timeouts.Media.duration(), Cache: cache,
	}
	if s.Media.AllowPrivate {
		o.Allow = everywhere
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	return media.New(o)
}

// upload fetches the header and hands it to WhatsApp's media servers, or finds that
// it did so for the same file before.
func (p *process) upload(ctx context.Context, call *sdk.Call, inst *pool.Instance, d delivery, to types.JID) (*buttons.Media, error) {
	cli, err := inst.Client()
	if err != nil {
		return nil, disconnected()
	}
	ctx, cancel := context.WithTimeout(ctx, 2*p.settings.Timeouts.Media.duration()) // to fetch, and to upload
	defer cancel()
	progress := func(stage string, done, total int64) {
		call.Progress(stage, "", map[string]int64{"bytes": done, "total": total})
	}
	var m *buttons.Media
	if to.Server == types.NewsletterServer {
		m, err = p.media.ChannelHeader(ctx, cli, d.instance, d.header.url, d.header.kind, progress)
	} else {
		m, err = p.media.Header(ctx, cli, d.instance, d.header.url, d.header.kind, progress)
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
		p := invalid("/mediaUrl", "MediaURL: "+failed.Message, "")
		p.Violations[0].Code = string(failed.Reason)
		if failed.Retry {
			return retryable(p, 10*time.Second)
		}
		return p
	}
	fault := sdk.FaultDownstream
	if failed.Reason == media.Internal {
		fault = sdk.FaultNode
	}
	p := problem(http.StatusInternalServerError, codeSendFailed, fault, "Failed to send buttons message: "+failed.Message)
	p.Err, p.Retryable = failed.Err, failed.Retry
	return p
}
