package node

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/sdk"
)

// settings is whatsapp-send-buttons.settings.json, with the defaults filled in by
// the sdk.
type settings struct {
	Store    struct{}        `json:"store"` // its only member is a secret
	Encoder  encoderSettings `json:"encoder"`
	Timeouts struct {
		Send    seconds `json:"send"`
		Ack     seconds `json:"ack"`
		Query   seconds `json:"query"`
		Connect seconds `json:"connect"`
		Media   seconds `json:"media"`
	} `json:"timeouts"`
	Media struct {
		MaxBytes     int64 `json:"maxBytes"`
		AllowPrivate bool  `json:"allowPrivate"`
	} `json:"media"`
	Pacing struct {
		PerMinute int `json:"perMinute"`
		Burst     int `json:"burst"`
		Queue     int `json:"queue"`
	} `json:"pacing"`
	NewContacts struct {
		LockHours int  `json:"lockHours"`
		Cap       days `json:"capDays"`
	} `json:"newContacts"`
	Retention struct {
		Menu   days `json:"menuDays"`
		Event  days `json:"eventDays"`
		Acked  days `json:"acknowledgedDays"`
		Ledger days `json:"ledgerDays"`
	} `json:"retention"`
	Device struct {
		Name           string `json:"name"`
		Version        string `json:"version"`
		RefreshVersion bool   `json:"refreshVersion"`
	} `json:"device"`
	Server struct {
		URL     string `json:"url"`
		RootKey string `json:"rootKey"`
	} `json:"server"`
}

type encoderSettings struct {
	Profile buttons.Profile `json:"profile"`
}

// seconds and days are whole numbers in the settings.
type (
	seconds int
	days    int
)

func (s seconds) duration() time.Duration { return time.Duration(s) * time.Second }
func (d days) duration() time.Duration    { return time.Duration(d) * 24 * time.Hour }

func readSettings(setup sdk.Setup) (settings, error) {
	var s settings
	if err := json.Unmarshal(setup.Settings, &s); err != nil {
		return s, fmt.Errorf("read the settings: %w", err)
	}
	return s, nil
}

func (s settings) limits() pool.Limits {
	return pool.Limits{
		Login: s.Timeouts.Connect.duration(), Ack: s.Timeouts.Ack.duration(),
		Queue: s.Pacing.Queue, PerMinute: s.Pacing.PerMinute, Burst: s.Pacing.Burst,
	}
}

// lock is how long WhatsApp's lock on new chats is assumed to last.
func (s settings) lock() time.Duration { return time.Duration(s.NewContacts.LockHours) * time.Hour }

func (s settings) retention() store.Retention {
	return store.Retention{
		Ledger: s.Retention.Ledger.duration(), Menus: s.Retention.Menu.duration(), Events: s.Retention.Event.duration(),
		Acknowledged: s.Retention.Acked.duration(),
	}
}

// server is the test server, or nil for WhatsApp itself.
func (s settings) server() (*pool.Server, error) {
	if s.Server.URL == "" {
		return nil, nil
	}
	server, err := pool.ParseServer(s.Server.URL, s.Server.RootKey)
	if err != nil {
		return nil, sdk.Invalid(sdk.Violation{Pointer: "/server", Code: "server", Message: err.Error()})
	}
	return server, nil
}
