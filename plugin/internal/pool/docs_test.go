package pool

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types/events"
)

// refused are the codes of refused logins that have no event of their own.
var refused = []events.ConnectFailureReason{400, 409, 415, 429, 501}

// TestOperatorsPage: every code that an instance can show is documented for operators.
func TestOperatorsPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/operations.md")
	must(t, err)
	codes := []string{codeUnreachable, codeUntrusted, codeLost, codeDeaf, codeUnstable, codeTwin, codeSlow, codeRefused, codeKeepAlive, codeStorage, CodeLeaseLost, CodeUnclaimed}
	for _, evt := range []any{&events.LoggedOut{}, &events.StreamReplaced{}, &events.TemporaryBan{}, &events.ClientOutdated{}, &events.ConnectFailure{}, &events.CATRefreshError{}} {
		codes = append(codes, judge(evt).code)
	}
	for _, number := range refused {
		codes = append(codes, judge(&events.ConnectFailure{Reason: number}).code)
		if !strings.Contains(string(page), fmt.Sprint(int(number))) {
			t.Errorf("docs/operations.md does not say what to do about a login refused with %d", int(number))
		}
	}
	for _, code := range codes {
		if !strings.Contains(string(page), "`"+code+"`") {
			t.Errorf("docs/operations.md does not say what to do about %s", code)
		}
	}
}
