package seed

import (
	"encoding/base64"

	"rsc.io/qr"
)

// picture is a QR code as the URL of a PNG; "" of no text.
func picture(text string) string {
	if text == "" {
		return ""
	}
	code, err := qr.Encode(text, qr.L)
	if err != nil { // longer than any code holds; the text is in the answer too
		return ""
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(code.PNG())
}
