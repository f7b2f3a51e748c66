package noise_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow/proto/waCert"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/socket"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim/internal/noise"
)

// wire is one side of a transport that hands bytes over in pieces of a given size.
type wire struct {
	in    chan []byte
	out   chan []byte
	piece int
}

func pair(piece int) (*wire, *wire) {
	a, b := make(chan []byte, 1<<12), make(chan []byte, 1<<12)
	return &wire{a, b, piece}, &wire{b, a, piece}
}

func (w *wire) Read(ctx context.Context) ([]byte, error) {
	select {
	case data, ok := <-w.in:
		if !ok {
			return nil, io.EOF
		}
		return data, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (w *wire) Write(_ context.Context, data []byte) error {
	for piece := range slices.Chunk(slices.Clone(data), w.piece) {
		w.out <- piece
	}
	return nil
}

// frame reads one whole frame.
func (w *wire) frame(t *testing.T) []byte {
	t.Helper()
	var buf []byte
	for len(buf) < 3 || len(buf) < 3+int(buf[0])<<16+int(buf[1])<<8+int(buf[2]) {
		data, err := w.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		buf = append(buf, data...)
	}
	return buf[3:]
}

func framed(data []byte) []byte {
	return append([]byte{byte(len(data) >> 16), byte(len(data) >> 8), byte(len(data))}, data...)
}

type accepted struct {
	conn  *noise.Conn
	hello noise.Hello
	err   error
}

func accept(t *testing.T, w *wire, id *noise.Identity) <-chan accepted {
	done := make(chan accepted, 1)
	go func() {
		conn, hello, err := noise.Accept(t.Context(), w, id, 1<<16)
		done <- accepted{conn, hello, err}
	}()
	return done
}

// handshake plays the client with whatsmeow's own half of Noise.
func handshake(t *testing.T, w *wire, root [32]byte, static *keys.KeyPair, payload []byte) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	send := func(prefix []byte, m *waWa6.HandshakeMessage) {
		raw, err := proto.Marshal(m)
		must(err)
		must(w.Write(t.Context(), append(prefix, framed(raw)...)))
	}
	eph, nh := keys.NewKeyPair(), socket.NewNoiseHandshake()
	nh.Start(socket.NoiseStartPattern, socket.WAConnHeader)
	nh.Authenticate(eph.Pub[:])
	send(slices.Clone(socket.WAConnHeader), &waWa6.HandshakeMessage{ClientHello: &waWa6.HandshakeMessage_ClientHello{Ephemeral: eph.Pub[:]}})
	var answer waWa6.HandshakeMessage
	must(proto.Unmarshal(w.frame(t), &answer))
	server := answer.GetServerHello()
	nh.Authenticate(server.GetEphemeral())
	must(nh.MixSharedSecretIntoKey(*eph.Priv, [32]byte(server.GetEphemeral())))
	serverStatic, err := nh.Decrypt(server.GetStatic())
	must(err)
	must(nh.MixSharedSecretIntoKey(*eph.Priv, [32]byte(serverStatic)))
	rawChain, err := nh.Decrypt(server.GetPayload())
	must(err)
	checkChain(t, rawChain, root, serverStatic)
	sealed := nh.Encrypt(static.Pub[:])
	must(nh.MixSharedSecretIntoKey(*static.Priv, [32]byte(server.GetEphemeral())))
	send(nil, &waWa6.HandshakeMessage{ClientFinish: &waWa6.HandshakeMessage_ClientFinish{Static: sealed, Payload: nh.Encrypt(payload)}})
}

func checkChain(t *testing.T, raw []byte, root [32]byte, static []byte) {
	t.Helper()
	var chain waCert.CertChain
	if err := proto.Unmarshal(raw, &chain); err != nil {
		t.Fatal(err)
	}
	issuer, serial := root, uint32(0)
	for _, cert := range []*waCert.CertChain_NoiseCertificate{chain.GetIntermediate(), chain.GetLeaf()} {
		var d waCert.CertChain_NoiseCertificate_Details
		if err := proto.Unmarshal(cert.GetDetails(), &d); err != nil {
			t.Fatal(err)
		}
		now := uint64(time.Now().Unix())
		if !ecc.VerifySignature(ecc.NewDjbECPublicKey(issuer), cert.GetDetails(), [64]byte(cert.GetSignature())) {
			t.Error("a signature in the chain is not valid")
		}
		if d.GetIssuerSerial() != serial || d.GetNotBefore() >= now || d.GetNotAfter() <= now {
			t.Errorf("certificate %v", &d)
		}
		issuer, serial = [32]byte(d.GetKey()), d.GetSerial()
	}
	if !bytes.Equal(issuer[:], static) {
		t.Error("the leaf vouches for another key")
	}
}

func identity(t *testing.T) (*noise.Root, *noise.Identity) {
	t.Helper()
	root := noise.NewRoot()
	id, err := root.Issue()
	if err != nil {
		t.Fatal(err)
	}
	return root, id
}

func TestHandshakeWithWhatsmeow(t *testing.T) {
	root, id := identity(t)
	for _, piece := range []int{1, 7, 1 << 16} {
		client, server := pair(piece)
		done := accept(t, server, id)
		static := keys.NewKeyPair()
		handshake(t, client, root.Public(), static, []byte("who I am"))
		got := <-done
		if got.err != nil {
			t.Fatal(got.err)
		}
		if got.hello.Static != *static.Pub || string(got.hello.Payload) != "who I am" {
			t.Errorf("in pieces of %d: %+v", piece, got.hello)
		}
	}
}

func TestAlteredFrame(t *testing.T) {
	root, id := identity(t)
	client, server := pair(1 << 16)
	done := accept(t, server, id)
	handshake(t, client, root.Public(), keys.NewKeyPair(), nil)
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	if err := got.conn.WriteFrame(t.Context(), []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if n := len(client.frame(t)); n != len("hello")+16 {
		t.Errorf("frame of %d bytes", n)
	}
	if err := client.Write(t.Context(), framed(make([]byte, 20))); err != nil {
		t.Fatal(err)
	}
	if _, err := got.conn.ReadFrame(t.Context()); !errors.Is(err, noise.ErrAltered) {
		t.Errorf("a forged frame: %v", err)
	}
	if err := client.Write(t.Context(), []byte{0xff, 0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	if _, err := got.conn.ReadFrame(t.Context()); !errors.Is(err, noise.ErrFrameTooLarge) {
		t.Errorf("an endless frame: %v", err)
	}
}

func TestRefusedHandshakes(t *testing.T) {
	_, id := identity(t)
	cases := map[string]struct {
		sent []byte
		want string
	}{
		"other protocol": {[]byte("GET / HTTP/1.1\r\n"), "connection header"},
		"too large":      {append([]byte("WA\x06\x03"), 0xff, 0xff, 0xff), "frame too large"},
		"no protobuf":    {append([]byte("WA\x06\x03"), framed([]byte("\xff\xff"))...), "handshake message"},
		"no key":         {append([]byte("WA\x06\x03"), framed(nil)...), "ephemeral key"},
		"routing, then nothing": {
			append([]byte("ED\x00\x01"), framed([]byte("route"))...), "EOF",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client, server := pair(1 << 16)
			client.out <- c.sent
			close(client.out)
			got := <-accept(t, server, id)
			if got.err == nil || !strings.Contains(got.err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", got.err, c.want)
			}
		})
	}
}
