// Package web serves the builder under /ui/: a page that vite builds from src and that is embedded here.
//
// It guarantees that the page is served without Node or a network, under a Content-Security-Policy that
// allows nothing inline and nothing from other origins, and that a browser revalidates its cached files
// before it uses them: the names of the built files never change, but their entity tags do.
package web

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed all:dist
var built embed.FS

// policy applies to the page and everything below it. Scripts set styles (CSSOM); markup never does.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: blob:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// file is one of the built files: a small text, font or picture.
type file struct {
	kind, tag string
	body      []byte
	shared    bool // pages of other origins may load it
}

// Prefix is the path of the page.
const Prefix = "/ui/"

// Handler serves the page below Prefix. Addresses inside the page, such as /ui/flows/menu, return the
// page itself.
func Handler() (http.Handler, error) {
	files := map[string]file{}
	err := fs.WalkDir(built, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := built.ReadFile(name)
		sum := sha256.Sum256(body)
		name = strings.TrimPrefix(name, "dist/")
		files[name] = file{kindOf(name), `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, body, strings.HasPrefix(name, "embed/")}
		return err
	})
	if err != nil {
		return nil, err
	}
	index, ok := files["index.html"]
	if !ok {
		return nil, fmt.Errorf("the page is not built: run make web")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, Prefix)
		found, ok := files[name]
		switch {
		case ok:
		case path.Ext(name) != "" && strings.HasPrefix(name, "assets/"):
			http.NotFound(w, r)
			return
		default:
			found = index
		}
		found.serve(w, r)
	}), nil
}

func kindOf(name string) string {
	if path.Ext(name) == ".ts" { // TypeScript types; the MIME table may map .ts to video
		return "text/plain; charset=utf-8"
	}
	return mime.TypeByExtension(path.Ext(name))
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if f.shared { // code without secrets, for pages of any origin; --origin limits the requests that it may make
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Access-Control-Allow-Origin", "*")
	}
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.tag)
	if match := r.Header.Get("If-None-Match"); match == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.kind)
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(f.body) // it fails only if the client has disconnected
}
