package v1

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
)

// tagOf returns a strong ETag of the parts.
func tagOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// matches says whether the list of ETags in an If-Match or If-None-Match header contains tag.
func matches(list, tag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.TrimSpace(one); one == "*" && tag != "" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}

// unchanged refuses a change when the resource has changed since the caller read it (RFC 9110,
// If-Match). Without an If-Match header every change passes.
func unchanged(ifMatch, tag string) error {
	if ifMatch == "" || matches(ifMatch, tag) {
		return nil
	}
	return refuse(http.StatusPreconditionFailed, "changed", "it was changed meanwhile: read it again, and change that").with("ETag", tag)
}

// notModified answers 304 when the caller already has the current version.
func notModified(ifNoneMatch, tag string) error {
	if ifNoneMatch == "" || !matches(ifNoneMatch, tag) {
		return nil
	}
	return refuse(http.StatusNotModified, "not_modified", "").with("ETag", tag)
}
