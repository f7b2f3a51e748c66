package process

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// drainStdio reads go-plugin's stdio stream and throws it away: a go-plugin server
// redirects what its program prints after the handshake into this stream, and the
// program would block as soon as nobody reads it. A server without it is fine.
func drainStdio(ctx context.Context, conn *grpc.ClientConn) {
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/plugin.GRPCStdio/StreamStdio")
	if err != nil {
		return
	}
	if stream.SendMsg(&emptypb.Empty{}) != nil || stream.CloseSend() != nil {
		return
	}
	for {
		// Any message decodes as an empty one with unknown fields.
		if stream.RecvMsg(&emptypb.Empty{}) != nil {
			return
		}
	}
}
