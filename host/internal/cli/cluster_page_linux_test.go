package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestClusterPage types the session of docs/cluster.md, word by word, into five shells. Only its
// ports and its database differ, and … matches anything.
func TestClusterPage(t *testing.T) {
	t.Parallel()
	base := startMortalPostgres(t)
	src, err := os.ReadFile("../../../docs/cluster.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```console\n(1\\$ .*?)```").FindSubmatch(src)
	if block == nil {
		t.Fatal("the page has no session")
	}
	simulator := freeAddress(t)
	page := strings.NewReplacer("127.0.0.1:8090", simulator, "bin/tapnode simulate", "bin/tapnode simulate --listen "+simulator,
		"127.0.0.1:8081", freeAddress(t), "127.0.0.1:8082", freeAddress(t), "127.0.0.1:8083", freeAddress(t),
		"postgres://tapnode@db.example/runs", base.url("runs"), "postgres://tapnode@db.example/node", base.url("node")).Replace(string(block[1]))
	if terminals := typeSession(t, demoDir(t), page); len(terminals) != 5 {
		t.Errorf("the session has %d terminals", len(terminals))
	}
}
