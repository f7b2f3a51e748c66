package node

import (
	"errors"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// TestDatabaseIsNotNamed: callers and those who configure the node do not learn where its database
// is and who owns it, but are told what to do.
func TestDatabaseIsNotNamed(t *testing.T) {
	names := []string{"shopuser", "shopdb", "127.0.0.1", "s3cret"}
	silent := func(what, text, want string) {
		t.Helper()
		for _, name := range names {
			if strings.Contains(text, name) {
				t.Errorf("%s names %s: %s", what, name, text)
			}
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s: %q, want %q", what, text, want)
		}
	}
	c, stop, err := client.Local(New())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ctx := (&world{t: t}).ctx()
	err = c.Configure(ctx, sdk.Setup{Settings: []byte(`{}`), StateDir: t.TempDir(),
		Secrets: map[string][]byte{"/store/dsn": []byte("postgres://shopuser:s3cret@127.0.0.1:1/shopdb?sslmode=disable")}})
	if err == nil {
		t.Fatal("a database that is not there is taken")
	}
	var p *sdk.Problem
	if errors.As(err, &p) {
		silent("Configure", p.Message, "nothing listens")
	}
	silent("Configure", err.Error(), "nothing listens")
}
