package noise

import (
	"context"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"go.mau.fi/whatsmeow/proto/waWa6"
	"google.golang.org/protobuf/proto"
)

// Hello is what is known of a client at the end of the handshake.
type Hello struct {
	Static  [32]byte // the client's static public key; the client has proved that it holds the private one
	Payload []byte   // waWa6.ClientPayload
}

// helloLimit bounds the frames of a client that is not known yet.
const helloLimit = 64 << 10

// Accept plays the responder. limit bounds the frames after the handshake, in bytes.
func Accept(ctx context.Context, t Transport, id *Identity, limit int) (*Conn, Hello, error) {
	f := &frames{t: t, limit: min(limit, helloLimit)}
	head, err := f.header(ctx)
	if err != nil {
		return nil, Hello{}, err
	}
	s, err := newState(head)
	if err != nil {
		return nil, Hello{}, err
	}
	ephemeral, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, Hello{}, err
	}
	if err := greet(ctx, f, s, ephemeral, id); err != nil {
		return nil, Hello{}, err
	}
	hello, err := finish(ctx, f, s, ephemeral)
	if err != nil {
		return nil, Hello{}, err
	}
	read, write, err := s.split()
	if err != nil {
		return nil, Hello{}, err
	}
	f.limit = limit
	return &Conn{frames: f, read: read, write: write}, hello, nil
}

// greet answers the client's ephemeral key with ours, our static key and our certificates.
func greet(ctx context.Context, f *frames, s *state, ephemeral *ecdh.PrivateKey, id *Identity) error {
	msg, err := receive(ctx, f)
	if err != nil {
		return err
	}
	client, err := ecdh.X25519().NewPublicKey(msg.GetClientHello().GetEphemeral())
	if err != nil {
		return fmt.Errorf("client hello: ephemeral key: %w", err)
	}
	s.mixHash(client.Bytes())
	s.mixHash(ephemeral.PublicKey().Bytes())
	if err := s.mixKey(ephemeral, client); err != nil {
		return err
	}
	static := s.encrypt(id.static.PublicKey().Bytes())
	if err := s.mixKey(id.static, client); err != nil {
		return err
	}
	answer, err := proto.Marshal(&waWa6.HandshakeMessage{ServerHello: &waWa6.HandshakeMessage_ServerHello{
		Ephemeral: ephemeral.PublicKey().Bytes(),
		Static:    static,
		Payload:   s.encrypt(id.chain),
	}})
	if err != nil {
		return fmt.Errorf("encode server hello: %w", err)
	}
	return f.t.Write(ctx, append(frame(len(answer)), answer...))
}

// finish reads the client's static key and payload.
func finish(ctx context.Context, f *frames, s *state, ephemeral *ecdh.PrivateKey) (Hello, error) {
	msg, err := receive(ctx, f)
	if err != nil {
		return Hello{}, err
	}
	raw, err := s.decrypt(msg.GetClientFinish().GetStatic())
	if err != nil {
		return Hello{}, err
	}
	static, err := ecdh.X25519().NewPublicKey(raw)
	if err != nil {
		return Hello{}, fmt.Errorf("client finish: static key: %w", err)
	}
	if err := s.mixKey(ephemeral, static); err != nil {
		return Hello{}, err
	}
	payload, err := s.decrypt(msg.GetClientFinish().GetPayload())
	if err != nil {
		return Hello{}, err
	}
	return Hello{Static: [32]byte(raw), Payload: payload}, nil
}

func receive(ctx context.Context, f *frames) (*waWa6.HandshakeMessage, error) {
	raw, err := f.read(ctx)
	if err != nil {
		return nil, err
	}
	var msg waWa6.HandshakeMessage
	if err := proto.Unmarshal(raw, &msg); err != nil {
		return nil, fmt.Errorf("handshake message: %w", err)
	}
	return &msg, nil
}

// Conn carries encrypted frames. One goroutine may read while others write.
type Conn struct {
	frames *frames
	read   cipher.AEAD
	seen   uint32

	mu    sync.Mutex // writes leave in the order of their counters
	write cipher.AEAD
	sent  uint32
}

// ErrAltered means that a frame was changed, repeated or lost on the way.
var ErrAltered = errors.New("frame does not decrypt")

// ReadFrame returns the next frame. The caller owns the bytes.
func (c *Conn) ReadFrame(ctx context.Context) ([]byte, error) {
	sealed, err := c.frames.read(ctx)
	if err != nil {
		return nil, err
	}
	plain, err := c.read.Open(sealed[:0], nonce(c.seen), sealed, nil)
	if err != nil {
		return nil, ErrAltered
	}
	c.seen++
	return plain, nil
}

// WriteFrame sends one frame.
func (c *Conn) WriteFrame(ctx context.Context, plain []byte) error {
	if len(plain)+tagSize >= 1<<24 {
		return fmt.Errorf("%w: %d bytes", ErrFrameTooLarge, len(plain))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.write.Seal(frame(len(plain)+tagSize), nonce(c.sent), plain, nil)
	c.sent++
	return c.frames.t.Write(ctx, out)
}
