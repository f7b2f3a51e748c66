package node

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// browser implements as much of a browser as the guide's script needs: WebAuthn's JSON methods
// (WebAuthn §5.1.8, §5.1.10), as strict as the standard about their arguments, and an authenticator
// that has prepared its signature in advance.
const browser = `
const bytes = s => { if (typeof s !== "string") throw new TypeError("not base64url"); return Uint8Array.from(Buffer.from(s, "base64url")).buffer };
const text = b => Buffer.from(b).toString("base64url");
globalThis.PublicKeyCredential = class {
	static parseRequestOptionsFromJSON(o) {
		const list = o.allowCredentials ?? [];
		for (const c of list) if (c.transports !== undefined && !Array.isArray(c.transports)) throw new TypeError("transports");
		if (o.allowCredentials === null || o.timeout === null) throw new TypeError("null");
		return {...o, challenge: bytes(o.challenge), allowCredentials: list.map(c => ({...c, id: bytes(c.id)}))};
	}
	toJSON() { return {...signed, authenticatorAttachment: "platform", clientExtensionResults: {}} }
};
Object.defineProperty(globalThis, "navigator", {value: {credentials: {get: async ({publicKey: k}) => {
	if (text(k.challenge) !== challenge || !(k.allowCredentials[0].id instanceof ArrayBuffer)) throw new TypeError("options");
	return new PublicKeyCredential();
}}}});
`

// TestPasskeyGuide runs the script of docs/passkey.md on the request of a pairing, and passes its
// output to the node.
func TestPasskeyGuide(t *testing.T) {
	t.Parallel()
	js, err := exec.LookPath("node")
	if err != nil {
		t.Skip("the guide's script needs a JavaScript engine: node")
	}
	guide, err := os.ReadFile("../../../docs/passkey.md")
	if err != nil {
		t.Fatal(err)
	}
	script := regexp.MustCompile("(?s)```js\n(.*?)```").FindSubmatch(guide)
	if script == nil {
		t.Fatal("the guide has no script")
	}
	w := newWorld(t, wasim.Options{})
	p, account := connecting(w)
	options := p.scan(w, account)
	touched, err := account.AnswerPasskey(options)
	w.must(err)

	challenge := raw(t, options.Challenge)
	page := bytes.Join([][]byte{[]byte("const challenge = "), challenge, []byte(", signed = "), raw(t, touched), []byte(";"), []byte(browser),
		bytes.Replace(script[1], []byte("PASTE THE PASSKEY REQUEST HERE"), raw(t, options), 1)}, nil)
	file := filepath.Join(t.TempDir(), "console.mjs")
	w.must(os.WriteFile(file, page, 0o600))
	printed, err := exec.CommandContext(w.ctx(), js, file).CombinedOutput()
	if err != nil {
		t.Fatalf("the script: %v\n%s", err, printed)
	}
	var response obj
	unmarshal(t, printed, &response)
	w.must(w.call("whatsapp.instance.passkey@1", obj{"instance": "shop", "response": response}, nil))
	w.must(<-p.done)
}
