package api

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tapnode/tapnode/host/internal/access"
)

// quota writes how a caller stands to a limit, in the seed's headers and in those of the IETF's
// draft (RateLimit and RateLimit-Policy), and says whether the request is taken. Where a request
// counts for two limits, the seed's headers speak of the second.
func quota(h http.Header, q access.Quota) bool {
	h.Set("X-RateLimit-Limit", strconv.Itoa(q.Limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(q.Remaining))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(q.At.Add(q.Full).Unix()+1, 10)) // never too early
	h.Add("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=60", q.Kind, q.Limit))
	h.Add("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", q.Kind, q.Remaining, q.Full/time.Second))
	if !q.OK {
		h.Set("Retry-After", strconv.Itoa(max(1, int(q.Next/time.Second))))
	}
	return q.OK
}
