// Package schemas holds the product's forms and events as JSON Schema 2020-12 files. They are the
// only description of an input, output, filter, event or setting: the node serves them byte for
// byte, the UI builds its forms from them, and the documentation is generated from them.
//
// Every file keeps to a profile that both a validator without eval and a form generator understand:
// references stay inside the file, conditions are if/then, and the only formats are uri, email,
// date-time and uuid. Beyond the standard keywords there are two of ours:
//
//   - x-ui on a property only affects how it is drawn: order (its place, ascending), widget, group
//     (the heading it is under), advanced (folded away), expression (may contain ${ … } instead),
//     placeholder, help, labels (texts of enum values), unit, rows (of a textarea), softMaxLength
//     (the length that clients show; warn beyond it), itemTitle and addLabel (of a list), icons (of
//     enum values). On the whole schema it may have preview: the kind of answer that a dry run
//     gives. The widgets are text, textarea, number, switch, select, url, tel, tags, list, map,
//     json, code, section, secret, and instance, instances, recipient and passkey, for which text
//     is a fair substitute. A form generator that knows none of these still produces a usable form.
//   - x-uniqueBy on an array: JSON Pointers whose values must differ between the items (uniqueItems
//     compares whole items and cannot express this).
//
// A schema describes what a form should accept. The node is the authority and accepts more where
// the HTTP API always has: also a lower-case mediaType, and null or "" for an optional member.
package schemas

import (
	"embed"
	"fmt"
	"io/fs"
)

// Base is the prefix of every $id; the rest of the $id is the file's path here.
const Base = "https://tapnode.github.io/schemas/"

// The names of the files.
const (
	SendButtonsInput   = "whatsapp.sendButtons.input.json"
	SendButtonsOutput  = "whatsapp.sendButtons.output.json"
	SendButtonsPreview = "whatsapp.sendButtons.preview.json"
	SendTextInput      = "whatsapp.sendText.input.json"
	SendTextOutput     = "whatsapp.sendText.output.json"

	ButtonClickFilter     = "whatsapp.buttonClick.filter.json"
	MessageReceivedFilter = "whatsapp.messageReceived.filter.json"
	MessageStatusFilter   = "whatsapp.messageStatus.filter.json"
	ButtonClicked         = "whatsapp.button.clicked.v1.json"
	MessageReceived       = "whatsapp.message.received.v1.json"
	MessageStatus         = "whatsapp.message.status.v1.json"

	WebhookFilter   = "webhook.filter.json"
	WebhookReceived = "webhook.received.v1.json"
	ScheduleFilter  = "schedule.filter.json"
	ScheduleDue     = "schedule.due.v1.json"

	MessageGetInput  = "whatsapp.message.get.input.json"
	MessageGetOutput = "whatsapp.message.get.output.json"

	ContactFindInput  = "whatsapp.contact.find.input.json"
	ContactFindOutput = "whatsapp.contact.find.output.json"

	InstanceCreateInput      = "whatsapp.instance.create.input.json"
	InstanceCreateOutput     = "whatsapp.instance.create.output.json"
	InstanceListInput        = "whatsapp.instance.list.input.json"
	InstanceListOutput       = "whatsapp.instance.list.output.json"
	InstanceConnectInput     = "whatsapp.instance.connect.input.json"
	InstanceConnectProgress  = "whatsapp.instance.connect.progress.json"
	InstanceConnectOutput    = "whatsapp.instance.connect.output.json"
	InstancePasskeyInput     = "whatsapp.instance.passkey.input.json"
	InstancePasskeyOutput    = "whatsapp.instance.passkey.output.json"
	InstanceDisconnectInput  = "whatsapp.instance.disconnect.input.json"
	InstanceDisconnectOutput = "whatsapp.instance.disconnect.output.json"
	InstanceLogoutInput      = "whatsapp.instance.logout.input.json"
	InstanceLogoutOutput     = "whatsapp.instance.logout.output.json"
	InstanceDeleteInput      = "whatsapp.instance.delete.input.json"
	InstanceDeleteOutput     = "whatsapp.instance.delete.output.json"

	InstanceResumeNewContactsInput  = "whatsapp.instance.resumeNewContacts.input.json"
	InstanceResumeNewContactsOutput = "whatsapp.instance.resumeNewContacts.output.json"

	// Events that the host creates, and the formats in which events are delivered.
	MessageSent   = "events/whatsapp.message.sent.v1.json"
	InstanceState = "events/whatsapp.instance.state.v1.json"
	RunStarted    = "events/flow.run.started.v1.json"
	RunWaiting    = "events/flow.run.waiting.v1.json"
	RunEnded      = "events/flow.run.ended.v1.json"
	WebhookTest   = "events/webhook.test.v1.json"
	StreamOpened  = "events/stream.opened.v1.json"
	StreamGap     = "events/stream.gap.v1.json"
	AsCloudEvent  = "events/cloudevent.json"
	AsSeed        = "events/seed.json"

	// Settings of the node binary whatsapp-send-buttons.
	Settings = "whatsapp-send-buttons.settings.json"

	// Config of tapnode serve.
	Config = "tapnode.config.json"
)

// FS holds all files, for code that lists or serves them.
//
//go:embed *.json events/*.json
var FS embed.FS

// Read returns one file byte for byte. The names are constants of this package,
// so an unknown one is a programming error and panics.
func Read(name string) []byte {
	data, err := fs.ReadFile(FS, name)
	if err != nil {
		panic(fmt.Sprintf("schemas: no file %q in this build", name))
	}
	return data
}
