package cli

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// The environment variables that say which host commands contact, and which file holds the token.
// The token itself is only in the file, because others can see arguments and variables.
const (
	urlEnv       = "TAPNODE_URL"
	tokenFileEnv = "TAPNODE_TOKEN_FILE"
)

// reach says which host a command contacts: the one that works in a data directory, or a remote
// one.
type reach struct {
	fs                   *flag.FlagSet
	data, url, tokenFile *string
}

// reachFlags adds the flags of reach, apart from --data.
func reachFlags(fs *flag.FlagSet, data *string) reach {
	return reach{fs, data,
		fs.String("url", "", "speak to the host at this `URL`, and not to that of --data; also "+urlEnv),
		fs.String("token-file", "", "`FILE` with the token for --url; also "+tokenFileEnv),
	}
}

// remote returns the address of a remote host, or "". --data takes precedence over the variable.
func (r reach) remote() string {
	if *r.url == "" && !given(r.fs, "data") {
		return os.Getenv(urlEnv)
	}
	return *r.url
}

// control returns a client of the host.
func (r reach) control(c console) (*control, error) {
	address, file := r.remote(), *r.tokenFile
	switch {
	case address == "" && file != "":
		return nil, invalid("--token-file goes with --url: the host of --data asks for no token")
	case address == "":
		return newControl(*r.data), nil
	case given(r.fs, "data"):
		return nil, invalid("give --url or --data, not both")
	case file == "":
		file = os.Getenv(tokenFileEnv)
	}
	base, err := url.Parse(address)
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil || strings.Trim(base.Path, "/") != "" || base.RawQuery != "" || base.Fragment != "":
		return nil, invalid("--url is not the address of a host, such as https://flows.example")
	case base.Scheme == "http" && !here(base.Hostname()):
		return nil, invalid("--url begins with http://, and the token would go over the net as it is: use https")
	case file == "":
		return nil, invalid("--url needs a token: name its file with --token-file or %s; tapnode tokens create makes one beside the host", tokenFileEnv)
	}
	token, err := readSecret(file)
	if err != nil {
		return nil, err
	}
	warnIfOpen(c, file)
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck // it is one
	return &control{base: base, token: token, where: fmt.Sprintf("no host answers at %s", base.Host), http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token is for this host only
	}}, nil
}

// here reports whether a name is this machine's own, so that nothing goes over the network.
func here(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
