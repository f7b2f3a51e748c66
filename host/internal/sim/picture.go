package sim

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"net"
	"net/http"
	"time"
)

// gallery serves one picture on loopback, for flows with a media header, because a
// simulation must not need the internet.
type gallery struct {
	http *http.Server
	url  string
}

func openGallery() (*gallery, error) {
	var body bytes.Buffer
	if err := png.Encode(&body, picture()); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &gallery{url: "http://" + l.Addr().String() + "/picture.png"}
	g.http = &http.Server{
		ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write(body.Bytes()) // it fails only if the client has disconnected
		}),
	}
	go func() { _ = g.http.Serve(l) }() // ends with Close
	return g, nil
}

func (g *gallery) close() error { return g.http.Close() }

// picture looks like a receipt at the size of a thumbnail: dark lines on paper.
func picture() image.Image {
	img := image.NewGray(image.Rect(0, 0, 320, 400))
	for y := range 400 {
		for x := range 320 {
			shade := uint8(245)
			if line := y / 20; y%20 < 6 && line > 1 && line < 18 && x > 30 && x < 290-(line*37)%90 {
				shade = 90
			}
			img.SetGray(x, y, color.Gray{Y: shade})
		}
	}
	return img
}
