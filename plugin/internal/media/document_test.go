package media_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/media"
)

const (
	ooxml = "application/vnd.openxmlformats-officedocument."
	docx  = ooxml + "wordprocessingml.document"
	xlsx  = ooxml + "spreadsheetml.sheet"
)

var pdf = []byte("%PDF-1.7 x")

// zipOf returns an archive of the files; only the first has content.
func zipOf(t *testing.T, names ...string) []byte {
	return encoded(t, func(out io.Writer) error {
		w := zip.NewWriter(out)
		for i, name := range names {
			f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
			if err != nil {
				return err
			}
			if i == 0 {
				_, _ = f.Write(bytes.Repeat([]byte("x"), 20_000)) // far from the beginning of the archive
			}
		}
		return w.Close()
	})
}

func TestVideoHeader(t *testing.T) {
	got, err := loader(t, media.Options{}).Header(t.Context(), &server{}, "shop", serve(t, mp4)+"/a.bin", buttons.Video, nil)
	if err != nil || got.Mimetype != "video/mp4" || got.FileName != "" || got.Type != buttons.Video {
		t.Errorf("%+v %v", got, err)
	}
}

// The type of a document is taken from its content, its name from wherever there is one, and the
// name gets the extension of the type.
func TestDocumentHeader(t *testing.T) {
	word, bundle := zipOf(t, "[Content_Types].xml", "_rels/.rels", "word/document.xml"), zipOf(t, "a.bin")
	sheet := zipOf(t, "[Content_Types].xml", "xl/workbook.xml")
	page, ole := []byte("<!DOCTYPE html><html><body>log in"), append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), make([]byte, 600)...)
	packed := encoded(t, func(out io.Writer) error {
		w := gzip.NewWriter(out)
		_, _ = w.Write(pdf)
		return w.Close()
	})
	for _, tc := range []struct {
		name                 string
		body                 []byte
		path                 string
		contentType          string
		mimetype, file, warn string
	}{
		{"pdf", pdf, "/menu.pdf", "", "application/pdf", "menu.pdf", ""},
		{"in capitals", pdf, "/MENU.PDF", "", "application/pdf", "MENU.PDF", ""},
		{"of a program", pdf, "/download.php?file=a.pdf", "", "application/pdf", "download.pdf", ""},
		{"that ends like a sentence", pdf, "/Invoice%20No.5", "", "application/pdf", "Invoice No.5.pdf", ""},
		{"that lies", pdf, "/a.exe", "application/x-msdownload", "application/pdf", "a.pdf", "media_is_not_as_named"},
		{"none", pdf, "/", "", "application/pdf", "document.pdf", ""},
		{"in Latin-1", pdf, "/Pre%E7os", "", "application/pdf", "Preços.pdf", ""},
		{"word", word, "/123", "application/octet-stream", docx, "123.docx", ""},
		{"a sheet by its name", sheet, "/table.xlsx", "text/plain", xlsx, "table.xlsx", ""},
		{"a sheet with macros", sheet, "/table.xlsm", "", "application/vnd.ms-excel.sheet.macroenabled.12", "table.xlsm", ""},
		{"a sheet named as a text", sheet, "/letter.docx", docx, xlsx, "letter.xlsx", "media_is_not_as_named"},
		{"an archive that is announced as word", bundle, "/123", docx, docx, "123.docx", ""},
		{"an archive that is named so", bundle, "/a.docx", "application/zip", docx, "a.docx", ""},
		{"an archive", bundle, "/all", "", "application/zip", "all.zip", ""},
		{"an archive named as a pdf", bundle, "/all.pdf", "application/pdf", "application/zip", "all.zip", "media_is_not_as_named"},
		{"an archive nobody knows", bundle, "/budget.numbers", "", "application/zip", "budget.numbers", ""},
		{"old word", ole, "/letter.doc", "", "application/msword", "letter.doc", ""},
		{"text", []byte("hello there"), "/notes", "application/octet-stream", "text/plain", "notes.txt", ""},
		{"a table", []byte("a;b\n1;2\n"), "/t.csv", "text/plain", "text/csv", "t.csv", ""},
		{"a table that is a text", []byte("a,b\n1,2\n3,4\n"), "/t.txt", "text/csv", "text/plain", "t.txt", ""},
		{"settings", []byte("[a]\nb = 1\n"), "/my.ini", "", "text/plain", "my.ini", ""},
		{"bytes", []byte{0, 1, 2, 3}, "/a.dat", "", "application/octet-stream", "a.dat", ""},
		{"packed", packed, "/invoice.pdf", "", "application/gzip", "invoice.pdf.gz", ""},
		{"a picture", pngOf(t, 9, 9), "/scan", "", "image/png", "scan.png", ""},
		{"a page for a pdf", page, "/invoice.pdf", "application/pdf", "text/html", "invoice.html", "media_is_a_page"},
		{"a page for anything", page, "/invoice/17", "", "text/html", "17.html", "media_is_a_page"},
		{"a page that is meant", page, "/offer.htm", "text/html", "text/html", "offer.htm", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := loader(t, media.Options{}).Header(t.Context(), &server{}, "shop", serve(t, tc.body, "Content-Type", tc.contentType)+tc.path, buttons.Document, nil)
			if err != nil {
				t.Fatal(err)
			}
			var warned string
			for _, w := range got.Warnings {
				warned += w.Code
			}
			if got.Mimetype != tc.mimetype || got.FileName != tc.file || warned != tc.warn {
				t.Errorf("got %s %q %q, want %s %q %q", got.Mimetype, got.FileName, warned, tc.mimetype, tc.file, tc.warn)
			}
		})
	}
}

// The names that servers give, as browsers read them.
func TestContentDisposition(t *testing.T) {
	for header, want := range map[string]string{
		`attachment; filename="menu.pdf"`:                                  "menu.pdf",
		`attachment; FileName=menu.pdf`:                                    "menu.pdf",
		`filename="menu.pdf"`:                                              "menu.pdf",
		`attachment; filename=My Menu.pdf`:                                 "My Menu.pdf",
		`attachment; filename=My Menu.pdf; size=7`:                         "My Menu.pdf",
		`attachment;filename="a;b.pdf";x=y`:                                "a;b.pdf",
		`attachment; filename="cut.pdf`:                                    "cut.pdf",
		`attachment; filename="say \"hi\".pdf"`:                            "say hi.pdf",
		`attachment; filename="C:\Users\x\menu.pdf"`:                       "menu.pdf",
		`attachment; filename="C:\\Users\\menu.pdf"`:                       "menu.pdf",
		`attachment; filename="../../etc/menu.pdf"`:                        "menu.pdf",
		`attachment; filename="Preços.pdf"`:                                "Preços.pdf",
		"attachment; filename=\"Pre\xe7os.pdf\"":                           "Preços.pdf",
		`attachment; filename="Pre%C3%A7os.pdf"`:                           "Preços.pdf",
		`attachment; filename="100%.pdf"`:                                  "100%.pdf",
		`attachment; filename="=?UTF-8?B?UHJlw6dvcy5wZGY=?="`:              "Preços.pdf",
		`attachment; filename*=UTF-8''Pre%C3%A7os%2f..%2fmenu.pdf`:         "menu.pdf",
		`attachment; filename="a.pdf"; filename*=UTF-8''Pre%C3%A7os.pdf`:   "Preços.pdf",
		`attachment; filename*=utf-8'pt'Pre%C3%A7os.pdf; filename="a.pdf"`: "Preços.pdf",
		`attachment; filename*=ISO-8859-1''Pre%E7os.pdf`:                   "Preços.pdf",
		`attachment; filename="a.pdf"; filename*=GBK''%B2%CB.pdf`:          "a.pdf",
		`attachment; filename*=UTF-8''100%2525.pdf`:                        "100%25.pdf",
		`attachment; filename*="Pre%C3%A7os.pdf"`:                          "Preços.pdf",
		`attachment; filename=""; foo`:                                     "link.pdf",
		`attachment`:                                                       "link.pdf",
		`inline; name="other.pdf"`:                                         "link.pdf",
		`;;;=; filename`:                                                   "link.pdf",
	} {
		got, err := loader(t, media.Options{}).Header(t.Context(), &server{}, "shop", serve(t, pdf, "Content-Disposition", header)+"/link", buttons.Document, nil)
		if err != nil || got.FileName != want {
			t.Errorf("%s: %+v %v, want %q", header, got, err, want)
		}
	}
}

// After a redirect, the name in the original link is kept if it is the better one.
func TestNameOfTheFirstLink(t *testing.T) {
	link := to(t, serve(t, pdf)+"/0f3a9c")
	got, err := loader(t, media.Options{}).Header(t.Context(), &server{}, "shop", link+"/menu.pdf", buttons.Document, nil)
	if err != nil || got.FileName != "menu.pdf" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestContentEncoding(t *testing.T) {
	large := bytes.Repeat([]byte("%PDF-1.7 "), 50_000)
	gz := func(b []byte) []byte {
		return encoded(t, func(out io.Writer) error {
			w := gzip.NewWriter(out)
			_, _ = w.Write(b)
			return w.Close()
		})
	}
	deflated := encoded(t, func(out io.Writer) error {
		w := zlib.NewWriter(out)
		_, _ = w.Write(pdf)
		return w.Close()
	})
	broken := gz(large)
	broken[len(broken)/2] ^= 0xff
	for _, tc := range []struct {
		name, coding, contentType string
		body                      []byte
		want                      []byte
		reason                    media.Reason
	}{
		{"gzip", "gzip", "application/pdf", gz(pdf), pdf, ""},
		{"its old name", "X-GZIP", "application/pdf", gz(pdf), pdf, ""},
		{"twice", "gzip, gzip", "application/pdf", gz(gz(pdf)), pdf, ""},
		{"deflate", "deflate", "application/pdf", deflated, pdf, ""},
		{"a label without truth", "gzip", "application/pdf", pdf, pdf, ""},
		{"a label of no coding", "aws-chunked", "application/pdf", pdf, pdf, ""},
		{"a file that is compressed", "gzip", "application/gzip", gz(pdf), gz(pdf), ""},
		{"one that nobody asked for", "br", "application/pdf", pdf, nil, media.WrongType},
		{"damaged", "gzip", "application/pdf", broken, nil, media.WrongType},
		{"cut", "gzip", "application/pdf", gz(large)[:200], nil, media.Unreachable},
		{"a bomb", "gzip", "application/pdf", gz(bytes.Repeat(large, 30)), nil, media.TooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			up := &server{}
			link := serve(t, tc.body, "Content-Encoding", tc.coding, "Content-Type", tc.contentType)
			_, err := loader(t, media.Options{MaxBytes: 10 << 20}).Header(t.Context(), up, "shop", link, buttons.Document, func(_ string, done, total int64) {
				if total > 0 && done > total {
					t.Errorf("%d of %d", done, total)
				}
			})
			var reason media.Reason
			if e, ok := err.(*media.Error); ok { //nolint:errorlint // never wrapped
				reason = e.Reason
			}
			if reason != tc.reason || !bytes.Equal(up.got, tc.want) {
				t.Errorf("%d bytes, %v; want %d bytes, %q", len(up.got), err, len(tc.want), tc.reason)
			}
		})
	}
}

// Signed links of cloud storage are long; the limit is that of the form.
func TestLongLink(t *testing.T) {
	link := serve(t, pdf) + "/a.pdf?signature="
	got, err := loader(t, media.Options{}).Header(t.Context(), &server{}, "shop", link+strings.Repeat("é", 4096-len(link)), buttons.Document, nil)
	if err != nil || got.FileName != "a.pdf" {
		t.Errorf("%+v %v", got, err)
	}
}

// The error of a refused link says why, and shows nothing of the link.
func TestWhyALinkIsRefused(t *testing.T) {
	for link, says := range map[string]string{
		"http://a.example/50%off":         `"%of" is not a percent-escape`,
		"http://a.example:secret/":        "not a port",
		"http://a b.example/":             "a character that is not allowed in a host",
		"http://a.example/\x01":           "control character",
		"http://[::1/":                    "IPv6",
		"http://se^cret:x@a.example/":     "percent-encoded",
		"ftp://a.example/x":               "http:// or https://",
		"http://a.example/" + long(4100):  "4096 characters",
		"http://a.example/\x7fsecret.pdf": "control character",
	} {
		_, err := loader(t, media.Options{}).Header(t.Context(), &server{}, "shop", link, buttons.Document, nil)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want %s", link, err, says)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }
