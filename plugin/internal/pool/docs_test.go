package pool

import (
	"os"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types/events"
)

// TestOperatorsPage: every code that an instance can show is on the operator's page.
func TestOperatorsPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/operations.md")
	must(t, err)
	codes := []string{codeUnreachable, codeLost, codeRefused, codeKeepAlive, codeStorage, codeLeaseLost, codeUnclaimed}
	for _, evt := range []any{&events.LoggedOut{}, &events.StreamReplaced{}, &events.TemporaryBan{}, &events.ClientOutdated{}, &events.ConnectFailure{}, &events.CATRefreshError{}} {
		codes = append(codes, judge(evt).code)
	}
	for _, code := range codes {
		if !strings.Contains(string(page), "`"+code+"`") {
			t.Errorf("docs/operations.md does not say what to do about %s", code)
		}
	}
}
