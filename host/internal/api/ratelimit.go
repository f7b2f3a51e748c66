package api

import (
	"math"
	"net/http"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// limiter has a bucket per token, which holds the requests of a minute and fills
// evenly. Only known tokens are counted; of tokens that were deleted meanwhile the
// bucket that was used longest ago makes room.
type limiter struct {
	perMinute int
	now       func() time.Time // monotonic, as time.Now is: a clock that is set does not lock anybody out
	buckets   *lru.Cache[string, *rate.Limiter]
}

func newLimiter(perMinute int, now func() time.Time) *limiter {
	buckets, err := lru.New[string, *rate.Limiter](maxTokens)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &limiter{perMinute: perMinute, now: now, buckets: buckets}
}

// allow counts one request and writes the X-RateLimit headers, which are on every
// answer; a refused one carries Retry-After too. X-RateLimit-Reset is when the
// bucket is full again.
func (l *limiter) allow(h http.Header, tokenID string) bool {
	perSecond := rate.Limit(float64(l.perMinute) / 60)
	bucket, found := l.buckets.Get(tokenID)
	if !found {
		bucket = rate.NewLimiter(perSecond, l.perMinute)
		if first, raced, _ := l.buckets.PeekOrAdd(tokenID, bucket); raced {
			bucket = first
		}
	}
	now := l.now()
	ok := bucket.AllowN(now, 1)
	tokens := max(0, bucket.TokensAt(now))

	until := func(level float64) time.Duration { // until the bucket holds that much
		return time.Duration(math.Ceil(max(0, level-tokens)/float64(perSecond))) * time.Second
	}
	h.Set("X-RateLimit-Limit", strconv.Itoa(l.perMinute))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(int(tokens)))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(now.Add(until(float64(l.perMinute))).Unix()+1, 10))
	if !ok {
		h.Set("Retry-After", strconv.Itoa(max(1, int(until(1)/time.Second))))
	}
	return ok
}
