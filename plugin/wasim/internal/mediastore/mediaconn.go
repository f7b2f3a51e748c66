package mediastore

import (
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// How long a client may keep a media_conn, and how long the credential in it holds.
const (
	connTTL = 6 * time.Hour
	authTTL = 24 * time.Hour
)

// MediaConn is the answer to a media_conn query: the credential for uploads and the hosts, best first. whatsmeow
// keeps it for the ttl; other clients refuse it without auth_ttl and max_buckets.
func (s *Store) MediaConn(hosts ...string) waBinary.Node {
	children := make([]waBinary.Node, len(hosts))
	for i, host := range hosts {
		children[i] = waBinary.Node{Tag: "host", Attrs: waBinary.Attrs{"hostname": host, "type": "primary"}}
	}
	return waBinary.Node{Tag: "media_conn", Content: children, Attrs: waBinary.Attrs{
		"auth": s.auth, "ttl": seconds(connTTL), "auth_ttl": seconds(authTTL), "max_buckets": "12",
	}}
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }
