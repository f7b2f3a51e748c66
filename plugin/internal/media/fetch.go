package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tapnode/tapnode/internal/netguard"
)

const (
	maxRedirects = 3
	maxURL       = 4096
	// progressStep is the number of bytes between two progress reports.
	progressStep = 1 << 20
)

// fetched is a file and its server's description of it, which is trusted only for names.
type fetched struct {
	file        *os.File
	sum         []byte // see hash; nil: not computed yet
	size        int64  // set together with sum
	contentType string
	names       []string // from the header, the last link and the first link; none is empty
	named       bool     // the first name is from the header
}

// newClient makes a client whose connections pass the guard. It uses no proxy, because a proxy
// would resolve and dial the target, and the guard would only check the proxy's address.
func newClient(guard *netguard.Guard) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            guard.DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  30 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        5 * time.Second,
			DisableCompression:     true, // media files are compressed already
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return &Error{Reason: Unreachable, Message: fmt.Sprintf("mediaUrl redirects more than %d times: link the file itself", maxRedirects)}
			}
			return checkURL(req.URL)
		},
	}
}

func checkURL(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return &Error{Reason: BadURL, Message: "mediaUrl must be an absolute URL with http:// or https://"}
	}
	return nil
}

// unreadable describes why a URL cannot be parsed, without revealing its content.
func unreadable(err error) string {
	if escape, ok := errors.AsType[url.EscapeError](err); ok {
		return fmt.Sprintf("%q is not a percent-escape; write a percent sign as %%25", string(escape))
	}
	if _, ok := errors.AsType[url.InvalidHostError](err); ok {
		return "the host has a character that is not allowed in a host"
	}
	for part, reason := range map[string]string{
		"invalid control character": "there is a control character in it", "invalid port": "what follows the host's colon is not a port",
		"invalid userinfo": "there is a character in the user or password that has to be percent-encoded", "missing ']'": "an IPv6 address ends with ]",
	} {
		if strings.Contains(err.Error(), part) {
			return reason
		}
	}
	return "it is not a URL"
}

// fetch streams the file to a temporary file, which the caller closes.
func (l *Loader) fetch(ctx context.Context, rawURL string, limit int64, progress Progress) (*fetched, error) {
	if utf8.RuneCountInString(rawURL) > maxURL {
		return nil, &Error{Reason: BadURL, Message: fmt.Sprintf("mediaUrl is longer than %d characters", maxURL)}
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, &Error{Reason: BadURL, Message: "mediaUrl cannot be read as a URL: " + unreadable(err)}
	}
	if err := checkURL(u); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.opt.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, &Error{Reason: BadURL, Message: "mediaUrl cannot be requested"}
	}
	req.Header.Set("User-Agent", "Tapnode")
	resp, err := l.client.Do(req)
	if err != nil {
		return nil, explain(err, l.opt.Timeout)
	}
	defer resp.Body.Close()
	if err := checkAnswer(resp, limit); err != nil {
		return nil, err
	}
	file, err := l.temporary()
	if err != nil {
		return nil, err
	}
	if err := l.save(file, resp, limit, progress); err != nil {
		file.Close()
		return nil, err
	}
	got := &fetched{file: file, contentType: resp.Header.Get("Content-Type")}
	name := dispositionName(resp.Header.Get("Content-Disposition"))
	got.named = name != ""
	for _, name := range []string{name, urlName(resp.Request.URL), urlName(u)} {
		if name != "" {
			got.names = append(got.names, name)
		}
	}
	return got, nil
}

func checkAnswer(resp *http.Response, limit int64) error {
	if resp.StatusCode != http.StatusOK {
		return &Error{
			Reason: Unreachable, Retry: resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests,
			Message: fmt.Sprintf("mediaUrl answers %d %s", resp.StatusCode, http.StatusText(resp.StatusCode)),
		}
	}
	if resp.ContentLength > limit {
		return tooLarge(limit)
	}
	return nil
}

// save copies the body, but at most one byte more than allowed.
func (l *Loader) save(file *os.File, resp *http.Response, limit int64, progress Progress) error {
	content, encoded, err := body(resp)
	if err != nil {
		return explain(err, l.opt.Timeout)
	}
	total := max(resp.ContentLength, 0)
	if encoded {
		total = 0
	}
	content = io.LimitReader(content, limit+1)
	var done int64
	for {
		progress("fetching", done, total)
		n, err := io.CopyN(file, content, progressStep)
		done += n
		switch {
		case done > limit:
			return tooLarge(limit)
		case errors.Is(err, io.EOF) && done == 0:
			return &Error{Reason: WrongType, Message: "mediaUrl answers an empty file"}
		case errors.Is(err, io.EOF):
			return nil
		case err == nil:
		default:
			if _, disk := errors.AsType[*os.PathError](err); disk {
				return &Error{Reason: Internal, Message: "the media could not be written to disk", Retry: true, Err: err}
			}
			return explain(err, l.opt.Timeout)
		}
	}
}

func tooLarge(limit int64) error {
	return &Error{Reason: TooLarge, Message: fmt.Sprintf("mediaUrl is larger than %.1f MiB, the limit for this mediaType", float64(limit)/(1<<20))}
}

// explain turns a transport's error into one that does not contain the URL.
func explain(err error, timeout time.Duration) error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	switch {
	case errors.Is(err, netguard.ErrRefused):
		return &Error{Reason: Refused, Message: "mediaUrl leads to an address that is not public: use a public one, or allow it in the node's settings"}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Reason: Unreachable, Retry: true, Message: fmt.Sprintf("mediaUrl was not fetched within %s", timeout), Err: err}
	case errors.Is(err, context.Canceled):
		return &Error{Reason: Unreachable, Retry: true, Message: "the fetch of mediaUrl was cancelled", Err: err}
	}
	return &Error{Reason: Unreachable, Retry: true, Message: "mediaUrl cannot be reached", Err: err}
}
