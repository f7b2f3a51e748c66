package process

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// maxLine is the longest line kept of a node's stderr, flownode.v1's limit.
const maxLine = 64 << 10

// eachLine calls f with every line of r until r ends. A line is cut at maxLine with
// a mark that says how much is missing; reading never stops at one, however long.
func eachLine(r io.Reader, f func(line []byte)) {
	in := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		if err == bufio.ErrBufferFull { //nolint:errorlint // bufio documents the bare value
			kept := bytes.Clone(line)
			f(fmt.Appendf(kept, "…(%d bytes cut)", skipLine(in)))
			continue
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
			f(line)
		}
		if err != nil {
			return
		}
	}
}

// skipLine reads to the end of the line and counts what it threw away.
func skipLine(in *bufio.Reader) (cut int) {
	for {
		rest, err := in.ReadSlice('\n')
		cut += len(bytes.TrimRight(rest, "\r\n"))
		if err != bufio.ErrBufferFull { //nolint:errorlint // bufio documents the bare value
			return cut
		}
	}
}
