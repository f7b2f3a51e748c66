package v1

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tapnode/tapnode/host/internal/feed"
	"github.com/tapnode/tapnode/sdk"
)

// config configures how huma describes and encodes. Huma's own documentation pages stay off, because
// they load scripts from other servers.
func config() huma.Config {
	format := huma.Format{Marshal: func(w io.Writer, v any) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	}}
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schemas.RegisterTypeAlias(reflect.TypeFor[sdk.JSON](), reflect.TypeFor[json.RawMessage]())
	c := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{Title: "Tapnode", Version: "1", Description: "Everything a Tapnode host does, over HTTP. " +
				"Inside version 1 only members, parameters and routes are added. Refusals are RFC 9457 problems with a stable code."},
			Components: &huma.Components{
				Schemas: schemas,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer":  {Type: "http", Scheme: "bearer"},
					"token":   {Type: "apiKey", In: "header", Name: "token"},
					"session": {Type: "apiKey", In: "cookie", Name: "tapnode_session", Description: "Of pages of the host. By TLS its name begins with __Host-."},
				},
			},
			Security: []map[string][]string{{"bearer": {}}, {"token": {}}, {"session": {}}},
		},
		Formats:       map[string]huma.Format{jsonType: format, "json": format},
		DefaultFormat: jsonType,
	}
	c.AllowAdditionalPropertiesByDefault = true // answers may gain members inside version 1
	return c
}

// schemaOf returns the schema of a value's Go type.
func (a *API) schemaOf(v any) *huma.Schema {
	return a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(v), true, "")
}

// describe serves the descriptions of all routes, which need no token.
func (a *API) describe() {
	a.open("/v1/openapi.json", "application/openapi+json; version=3.1", a.openAPI)
	a.open("/v1/asyncapi.json", "application/vnd.aai.asyncapi+json; version=3.0.0", feed.AsyncAPI)
	a.open("/v1/{$}", "text/html; charset=utf-8", func() ([]byte, error) { return readable(a.huma.OpenAPI()) })
}

func (a *API) openAPI() ([]byte, error) {
	raw, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Indent(&out, raw, "", "  ")
	out.WriteByte('\n')
	return out.Bytes(), err
}

// open serves a document that needs no token and that loads and runs nothing. The document is made on
// the first request, so that it does not delay the start of the host.
func (a *API) open(path, kind string, document func() ([]byte, error)) {
	document = sync.OnceValues(document)
	a.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
		made, err := document()
		if err != nil {
			a.logger.Error("a description cannot be made", "path", path, "err", err)
			write(w, refuse(http.StatusInternalServerError, "internal", "This description cannot be made; the log of the host says why."))
			return
		}
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		_, _ = (&answer{ResponseWriter: w}).Write(made) // fails only when the client is gone
	})
}
