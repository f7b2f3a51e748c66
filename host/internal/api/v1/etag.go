package v1

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
)

// tagOf is a strong ETag of what parts say.
func tagOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// matches says whether a list of ETags, as If-Match and If-None-Match have it, names one.
func matches(list, tag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.TrimSpace(one); one == "*" && tag != "" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}

// unchanged refuses a change of what is not as whoever asks has seen it. Without an If-Match they do
// not mind.
func unchanged(ifMatch, tag string) error {
	if ifMatch == "" || matches(ifMatch, tag) {
		return nil
	}
	return refuse(http.StatusPreconditionFailed, "changed", "it was changed meanwhile: read it again, and change that").with("ETag", tag)
}

// notModified answers whoever has it already.
func notModified(ifNoneMatch, tag string) error {
	if ifNoneMatch == "" || !matches(ifNoneMatch, tag) {
		return nil
	}
	return refuse(http.StatusNotModified, "not_modified", "").with("ETag", tag)
}
