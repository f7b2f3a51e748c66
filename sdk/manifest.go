package sdk

// Kind says how a host uses an operation.
type Kind string

// The kinds of flownode.v1.
const (
	KindAction    Kind = "ACTION"    // a step of a flow
	KindTrigger   Kind = "TRIGGER"   // a source of events
	KindOperation Kind = "OPERATION" // administration, not part of a flow
)

// Replay says who may repeat a call whose outcome is unknown.
type Replay string

// The replay classes of flownode.v1.
const (
	Pure   Replay = "PURE"   // no effect outside: anyone may repeat
	Keyed  Replay = "KEYED"  // one effect per idempotency key
	Unsafe Replay = "UNSAFE" // every call may act again
)

// Port is a named exit of a node in a flow: "kind" or "kind:key".
type Port struct {
	ID    string `json:"id"`
	Label string `json:"label,omitempty"`
}

// PortRule derives one port from each matching element of an array in the
// input, after the input schema's defaults are filled in.
type PortRule struct {
	Each  string            `json:"each"`            // JSON Pointer to the array
	Where map[string]string `json:"where,omitempty"` // members that must be equal
	ID    string            `json:"id"`              // with {member} placeholders
	Label string            `json:"label,omitempty"` // with {member} placeholders
}

// EventType is a kind of event with its JSON Schema.
type EventType struct {
	Type   string `json:"type"`             // e.g. "whatsapp.button.clicked.v1"
	Title  string `json:"title,omitempty"`  // for people
	Schema JSON   `json:"schema,omitempty"` // of the event's data
	// Port is the port through which an event that answers an action leaves it, with {pointer}
	// placeholders into the event's data, e.g. "reply:{/button/id}".
	Port string `json:"port,omitempty"`
}

// Route is an HTTP endpoint that a host may mount for an operation. The {name}
// parameters of the path are members of the input.
type Route struct {
	Method string `json:"method"`
	Path   string `json:"path"`
}

// OperationManifest describes one operation to a host.
type OperationManifest struct {
	ID        string      `json:"id"` // name@major
	Kind      Kind        `json:"kind"`
	Title     string      `json:"title,omitempty"`
	Summary   string      `json:"summary,omitempty"`
	Icon      string      `json:"icon,omitempty"`
	Input     JSON        `json:"inputSchema,omitempty"` // of a trigger: its filter
	Output    JSON        `json:"outputSchema,omitempty"`
	Ports     []Port      `json:"ports,omitempty"`
	PortRules []PortRule  `json:"portRules,omitempty"`
	Events    []EventType `json:"events,omitempty"`
	Replay    Replay      `json:"replay,omitempty"`
	HTTP      *Route      `json:"http,omitempty"`
}

// Manifest is the answer of Describe and the output of the describe command.
type Manifest struct {
	Name       string              `json:"name"`
	Version    string              `json:"version"`
	Title      string              `json:"title,omitempty"`
	Summary    string              `json:"summary,omitempty"`
	SDKVersion string              `json:"sdkVersion"`
	Features   []string            `json:"features,omitempty"`
	Settings   JSON                `json:"settingsSchema,omitempty"`
	Operations []OperationManifest `json:"operations"`
}

// JSON is a document kept byte for byte. The zero value is no document.
type JSON []byte

// MarshalJSON writes the document as it is, or null.
func (j JSON) MarshalJSON() ([]byte, error) {
	if len(j) == 0 {
		return []byte("null"), nil
	}
	return j, nil
}

// UnmarshalJSON keeps a copy of the document; null means no document.
func (j *JSON) UnmarshalJSON(b []byte) error {
	*j = nil
	if string(b) != "null" {
		*j = append(*j, b...)
	}
	return nil
}
