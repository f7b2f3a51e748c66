package send

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/sdk"
)

// sentAsText is the warning that comes with a menu whose buttons WhatsApp refused.
func sentAsText(ack int) sdk.Warning {
	return sdk.Warning{Pointer: "/buttons", Code: "sent_as_text",
		Message: fmt.Sprintf("WhatsApp refused the buttons (%d); the menu went out as numbered text.", ack)}
}

// warn gives a warning to the caller and to the ledger.
func (o *order) warn(call *sdk.Call, w sdk.Warning) {
	call.Warn(w)
	o.warnings = append(o.warnings, w)
}

// warnAgain gives a repeated call the warnings of the first that the request alone
// does not show.
func (o order) warnAgain(call *sdk.Call, e ledger.Entry) error {
	if e.Warnings == nil {
		return nil
	}
	var stored []sdk.Warning
	if err := json.Unmarshal(e.Warnings, &stored); err != nil {
		return fmt.Errorf("read the stored warnings: %w", err)
	}
	for _, w := range stored {
		if !slices.Contains(o.warnings, w) {
			call.Warn(w)
		}
	}
	return nil
}

// marshalWarnings is nil for none.
func marshalWarnings(list []sdk.Warning) ([]byte, error) {
	if len(list) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("encode the warnings: %w", err)
	}
	return b, nil
}
