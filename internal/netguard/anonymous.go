package netguard

import (
	"context"
	"errors"
	"net"
)

// conn is a connection whose errors name no address.
type conn struct{ net.Conn }

func (c conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, anonymous(err)
}

func (c conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, anonymous(err)
}

// anonymous takes the addresses and the resolver out of an error of package net.
func anonymous(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return &net.OpError{Op: op.Op, Net: op.Net, Err: withoutResolver(op.Err)}
	}
	return err
}

// withoutResolver rewrites a failed lookup, which names the resolver also in its text.
func withoutResolver(err error) error {
	dns, ok := errors.AsType[*net.DNSError](err)
	if !ok {
		return err
	}
	out := &net.DNSError{Name: dns.Name, IsNotFound: dns.IsNotFound, IsTimeout: dns.IsTimeout, IsTemporary: dns.IsTemporary}
	if errors.Is(dns.UnwrapErr, context.Canceled) || errors.Is(dns.UnwrapErr, context.DeadlineExceeded) {
		out.UnwrapErr = dns.UnwrapErr
	}
	switch {
	case dns.IsNotFound:
		out.Err = "no such host"
	case dns.IsTimeout:
		out.Err = "the lookup took too long"
	default:
		out.Err = "the lookup failed"
	}
	return out
}
