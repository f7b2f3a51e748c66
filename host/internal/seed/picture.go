package seed

import (
	"encoding/base64"

	"github.com/tapnode/tapnode/host/internal/qrcode"
)

// picture is a QR code as the URL of a PNG; "" when there is none.
func picture(text string) string {
	png := qrcode.PNG(text)
	if png == nil {
		return ""
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(png)
}
