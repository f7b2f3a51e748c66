package media

import (
	"bytes"
	"image"
	"image/jpeg"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
)

func TestSniff(t *testing.T) {
	for head, want := range map[string]string{
		"":                                 "text/plain",
		"\xff\xd8\xff\xe0":                 "image/jpeg",
		"\x89PNG\r\n\x1a\n":                "image/png",
		"GIF89a":                           "image/gif",
		"RIFF\x00\x00\x00\x00WEBPVP8 ":     "image/webp",
		"\x00\x00\x00\x18ftypisom\x00\x00": "video/mp4",
		"\x00\x00\x00\x18ftyp3gp5\x00\x00": "video/3gpp",
		"\x00\x00\x00\x18ftypqt  \x00\x00": "video/quicktime",
		"\x00\x00\x00\x18ftypheic\x00\x00": "image/heic",
		"\x00\x00\x00\x18ftypavif\x00\x00": "image/avif",
		"\x00\x00\x00\x18ftypM4A \x00\x00": "audio/mp4",
		"%PDF-1.4":                         "application/pdf",
		"<!DOCTYPE html><html>":            "text/html",
		"\x00\x01\x02\x03":                 "application/octet-stream",
	} {
		if got, _ := sniff([]byte(head)); got != want {
			t.Errorf("%q: %s, want %s", head, got, want)
		}
	}
}

func TestCleanName(t *testing.T) {
	for name, want := range map[string]string{
		"menu.pdf":                        "menu.pdf",
		"../../etc/passwd":                "passwd",
		`C:\Users\x\a.pdf`:                "a.pdf",
		".bashrc":                         "bashrc",
		" a\tb.pdf ":                      "a b.pdf",
		"Cardápio São João.pdf":           "Cardápio São João.pdf",
		"evil\u202Efdp.exe":               "evilfdp.exe",
		"a\x00b\n.pdf":                    "ab .pdf",
		"...":                             "",
		"a/":                              "",
		"\xff.pdf":                        "pdf",
		strings.Repeat("é", 200) + ".pdf": strings.Repeat("é", 116) + ".pdf",
	} {
		if got := cleanName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func FuzzFileName(f *testing.F) {
	f.Add(`attachment; filename="a.pdf"`, "/x/y.pdf", "%PDF-1.7")
	f.Add(`attachment; filename*=UTF-8''%e2%82%ac%20..%2f`, "/", "<html>")
	f.Add(`filename=C:\a.php`, "/a.docx", "PK\x03\x04")
	f.Fuzz(func(t *testing.T, disposition, path, head string) {
		mediaType, under := sniff([]byte(head))
		got := &fetched{contentType: disposition}
		for _, name := range []string{dispositionName(disposition), urlName(&url.URL{Path: path})} {
			if name != "" {
				got.names = append(got.names, name)
			}
		}
		var m buttons.Media
		describe(&m, mediaType, under, got)
		name := m.FileName
		if name == "" || strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, ".") || utf8.RuneCountInString(name) > maxName ||
			!utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
			t.Errorf("%q and %q give %q", disposition, path, name)
		}
	})
}

// FuzzExamine tests the entry point for files from outside: any file is either refused with an
// *Error, or described within bounds.
func FuzzExamine(f *testing.F) {
	var small bytes.Buffer
	if err := jpeg.Encode(&small, testPicture(), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(small.Bytes())
	f.Add([]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"))
	dot := "VP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00\x00"
	f.Add([]byte("RIFF\x5a\x00\x00\x00WEBP" + "VP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x09\x00\x00\x09\x00\x00" + "ANMF\x26\x00\x00\x00" + strings.Repeat("\x00", 16) + dot))
	f.Add([]byte("\x00\x00\x00\x18ftypmp42"))
	f.Add([]byte("%PDF-1.7"))
	l := New(Options{Dir: f.TempDir()})
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, kind := range []buttons.MediaType{buttons.Image, buttons.Video, buttons.Document} {
			file, err := l.temporary()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := file.Write(body); err != nil {
				t.Fatal(err)
			}
			got := &fetched{file: file, names: []string{"x"}}
			m, err := l.examine(t.Context(), got, kind)
			if err != nil {
				if e, ok := err.(*Error); !ok || e.Reason == Internal { //nolint:errorlint // never wrapped
					t.Errorf("%s: %v", kind, err)
				}
			} else if m.Mimetype == "" || len(m.Thumbnail) > 32<<10 || !fits(m.Mimetype, kind) {
				t.Errorf("%s: %+v", kind, m)
			}
			if err := got.file.Close(); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
	})
}

func testPicture() image.Image {
	return image.NewGray(image.Rect(0, 0, 9, 7))
}
