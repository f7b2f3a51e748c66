package sdk

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Exit codes of a node binary.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitEnvironment = 3
)

// Main is the main function of a node binary. Started by a host it serves n and
// exits 0 when the host is done with it, when the host has died (see [LifelineKey]) or
// after a drain of at most 10 s on SIGTERM. Without a host it answers the commands describe, version and help;
// anything else exits 2. It does not return.
func Main(n *Node) { os.Exit(run(n, os.Args[1:], os.Stdout, os.Stderr)) }

func run(n *Node, args []string, stdout, stderr io.Writer) int {
	s, err := newServer(n)
	if err != nil {
		fmt.Fprintf(stderr, "%s: this node is built wrongly: %v\n", n.Name, err)
		return exitFailed
	}
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	switch command {
	case "":
		if os.Getenv(HandshakeCookieKey) == HandshakeCookieValue {
			return serveHost(s)
		}
		fmt.Fprint(stderr, usage(n))
		return exitUsage
	case "describe":
		enc := json.NewEncoder(stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(s.manifest); err != nil {
			fmt.Fprintf(stderr, "%s: %v\n", n.Name, err)
			return exitFailed
		}
	case "version":
		fmt.Fprintf(stdout, "%s %s (sdk %s, contract flownode.v%d)\n", n.Name, n.Version, Version, ProtocolVersion)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage(n))
	default:
		fmt.Fprintf(stderr, "%s: there is no command %q\n\n%s", n.Name, command, usage(n))
		return exitUsage
	}
	return exitOK
}

func usage(n *Node) string {
	text := n.Name + " is a node for a workflow host; the host starts it by itself."
	if n.Title != "" {
		text = n.Title + "\n\n" + text
	}
	return text + fmt.Sprintf(`

usage:
  %[1]s describe   print what it offers, as JSON
  %[1]s version    print its version
  %[1]s help       print this
`, n.Name)
}
