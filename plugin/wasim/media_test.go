package wasim_test

import (
	"bytes"
	"errors"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"

	"github.com/tapnode/tapnode/plugin/wasim"
)

func image(up whatsmeow.UploadResponse) *waE2E.ImageMessage {
	return &waE2E.ImageMessage{
		URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey,
		FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256, FileLength: &up.FileLength,
	}
}

func TestLargeFileOverOneMediaConn(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	ctx := within(t)
	large := bytes.Repeat([]byte("0123456789abcdef"), 2<<20) // 32 MiB
	up, err := b.cli.Upload(ctx, large, whatsmeow.MediaDocument)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := b.cli.Download(ctx, &waE2E.DocumentMessage{
			DirectPath: &up.DirectPath, MediaKey: up.MediaKey, FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256,
		})
		if err != nil || !bytes.Equal(got, large) {
			t.Fatalf("%d bytes came back: %v", len(got), err)
		}
	}
	asked := s.Stanzas(func(st wasim.Stanza) bool { return st.Direction == wasim.In && st.Node.Attrs["xmlns"] == "w:m" })
	if len(asked) != 1 {
		t.Errorf("asked for a media connection %d times", len(asked))
	}
	if n := s.Uploads([32]byte(up.FileEncSHA256)); n != 1 {
		t.Errorf("uploaded %d times", n)
	}
	if st := s.Media(); st.Uploads != 1 || st.Downloads != 2 || st.Refused != 0 {
		t.Errorf("counted %+v", st)
	}
}

func TestChannelMediaIsNotEncrypted(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	ctx := within(t)
	data := []byte("in the clear")
	up, err := b.cli.UploadNewsletter(ctx, data, whatsmeow.MediaImage)
	if err != nil || up.Handle == "" {
		t.Fatalf("%+v, %v", up, err)
	}
	got, err := b.cli.Download(ctx, &waE2E.ImageMessage{DirectPath: &up.DirectPath, FileSHA256: up.FileSHA256})
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%q came back: %v", got, err)
	}
	if n := s.Uploads([32]byte(up.FileSHA256)); n != 1 {
		t.Errorf("uploaded %d times", n)
	}
}

func TestMediaFaults(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	ctx := within(t)
	fault := func(kind string, f wasim.Fault) {
		t.Helper()
		addFault(t, s, wasim.FaultMatch{Stage: wasim.StageMedia, Type: kind}, f)
	}
	fault("upload", wasim.Fault{HTTPStatus: 507})
	if _, err := b.cli.Upload(ctx, []byte("refused"), whatsmeow.MediaImage); err == nil || err.Error() != "upload failed with status code 507" {
		t.Errorf("refused upload: %v", err)
	}
	fault("upload", wasim.Fault{Disconnect: wasim.Before})
	if _, err := b.cli.Upload(ctx, []byte("cut off"), whatsmeow.MediaImage); err == nil {
		t.Error("an upload over a cut connection succeeded")
	}
	up, err := b.cli.Upload(ctx, []byte("a picture"), whatsmeow.MediaImage)
	if err != nil {
		t.Fatal(err)
	}
	fault("download", wasim.Fault{Corrupt: true})
	if _, err := b.cli.Download(ctx, image(up)); !errors.Is(err, whatsmeow.ErrInvalidMediaEncSHA256) {
		t.Errorf("damaged download: %v", err)
	}
	fault("download", wasim.Fault{HTTPStatus: 410})
	if _, err := b.cli.Download(ctx, image(up)); !errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith410) {
		t.Errorf("expired download: %v", err)
	}
	if got, err := b.cli.Download(ctx, image(up)); err != nil || string(got) != "a picture" {
		t.Errorf("after the faults: %q, %v", got, err)
	}
}
