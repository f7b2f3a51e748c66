package flow_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/host/internal/flow"
)

func signed(secret, body string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return mac.Sum(nil)
}

func TestWebhookVerify(t *testing.T) {
	const body = `{"id":"A-17"}`
	hmacHex := flow.Webhook{Auth: flow.WebhookAuth{Type: "hmac-sha256", Header: "X-Sig", Prefix: "sha256=", Encoding: "hex"}}
	hmac64 := flow.Webhook{Auth: flow.WebhookAuth{Type: "hmac-sha256", Header: "X-Sig", Encoding: "base64"}}
	secret := flow.Webhook{Auth: flow.WebhookAuth{Type: "secret", Header: "Authorization", Prefix: "Bearer "}}
	good := "sha256=" + hex.EncodeToString(signed("k", body))
	for name, c := range map[string]struct {
		hook   flow.Webhook
		secret string
		header []string
		want   error
	}{
		"none":                 {flow.Webhook{Auth: flow.WebhookAuth{Type: "none"}}, "", nil, nil},
		"signed":               {hmacHex, "k", []string{good}, nil},
		"signed in base64":     {hmac64, "k", []string{base64.StdEncoding.EncodeToString(signed("k", body))}, nil},
		"another secret":       {hmacHex, "other", []string{good}, flow.ErrForged},
		"no header":            {hmacHex, "k", nil, flow.ErrForged},
		"two headers":          {hmacHex, "k", []string{good, good}, flow.ErrForged},
		"no prefix":            {hmacHex, "k", []string{hex.EncodeToString(signed("k", body))}, flow.ErrForged},
		"no hex":               {hmacHex, "k", []string{"sha256=xyz"}, flow.ErrForged},
		"cut short":            {hmacHex, "k", []string{good[:len(good)-2]}, flow.ErrForged},
		"host has no secret":   {hmacHex, "", []string{"sha256=" + hex.EncodeToString(signed("", body))}, flow.ErrForged},
		"secret":               {secret, "k", []string{"Bearer k"}, nil},
		"wrong secret":         {secret, "k", []string{"Bearer kk"}, flow.ErrForged},
		"empty secret of host": {secret, "", []string{"Bearer "}, flow.ErrForged},
	} {
		if err := c.hook.Verify([]byte(c.secret), c.header, []byte(body)); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWebhookEvent(t *testing.T) {
	hook := flow.Webhook{Path: "orders", Method: "POST", Auth: flow.WebhookAuth{Type: "secret", Header: "X-Shop"}}
	header := func(contentType string) map[string][]string {
		return map[string][]string{"Content-Type": {contentType}, "Authorization": {"Basic x"}, "Cookie": {"a=b"}, "X-Shop": {"k"}, "X-Api-Key": {"k"},
			"X-Event": {"paid", "second"}}
	}
	for name, c := range map[string]struct {
		contentType, body string
		want              any
	}{
		"json":            {"application/json; charset=utf-8", `{"n":1,"f":1.5}`, map[string]any{"n": 1, "f": 1.5}},
		"json, of a kind": {"application/cloudevents+json", `[true]`, []any{true}},
		"form":            {"application/x-www-form-urlencoded", "a=1&b=x&b=y%26", map[string]any{"a": "1", "b": []any{"x", "y&"}}},
		"text":            {"text/plain", "hello", "hello"},
		"unsaid":          {"", "hello", "hello"},
		"nothing":         {"application/json", "", nil},
	} {
		got, err := hook.Event(url.Values{"q": {"1"}}, header(c.contentType), []byte(c.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := map[string]any{"method": "POST", "path": "orders", "query": map[string]any{"q": "1"}, "body": c.want,
			"headers": map[string]any{"content-type": c.contentType, "x-event": "paid"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	deep := strings.Repeat("[", flow.MaxDepth) + strings.Repeat("]", flow.MaxDepth)
	for contentType, body := range map[string]string{"application/json": `{"a":1,"a":2}`, "application/deep+json": deep, "application/large+json": `[1e999]`,
		"text/plain": "\xff", "application/x-www-form-urlencoded": "a=%zz"} {
		if _, err := hook.Event(nil, header(contentType), []byte(body)); !errors.Is(err, flow.ErrBody) {
			t.Errorf("%s %q: %v", contentType, body, err)
		}
	}
}

// FuzzWebhook: a caller without the secret is refused, and every body gives ErrBody or a value that
// survives a round trip through JSON.
func FuzzWebhook(f *testing.F) {
	f.Add("sha256=00", []byte(`{"a":1}`), "application/json")
	f.Add("sha256=", []byte("a=%zz"), "application/x-www-form-urlencoded")
	f.Add("", []byte("\xff"), "text/plain; charset")
	f.Add("", []byte(`{"a":[1,2.5,1e3,-0,9007199254740993,18446744073709551616,"\u2028<"],"b":null}`), "application/json")
	f.Add("", []byte(strings.Repeat("[", flow.MaxDepth-1)+strings.Repeat("]", flow.MaxDepth-1)), "application/json")
	f.Fuzz(func(t *testing.T, given string, body []byte, contentType string) {
		for _, encoding := range []string{"hex", "base64"} {
			hook := flow.Webhook{Method: "POST", Path: "p", Auth: flow.WebhookAuth{Type: "hmac-sha256", Header: "X-Sig", Prefix: "sha256=", Encoding: encoding}}
			if err := hook.Verify([]byte("a secret that nobody guesses"), []string{given}, body); err == nil {
				t.Fatalf("%q is taken for a signature", given)
			}
		}
		hook := flow.Webhook{Method: "POST", Path: "p", Auth: flow.WebhookAuth{Type: "none"}}
		event, err := hook.Event(nil, map[string][]string{"Content-Type": {contentType}}, body)
		if err != nil {
			if !errors.Is(err, flow.ErrBody) {
				t.Fatal(err)
			}
			return
		}
		again, err := flow.DecodeJSON(toJSON(t, event))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again, any(event)) { // cmp.Diff takes forever for deeply nested values
			t.Fatalf("%v became %v", event, again)
		}
	})
}
