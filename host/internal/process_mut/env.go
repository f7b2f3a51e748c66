package process

import "strings"

// hostEnv is what a node may see of the host's environment: where things are, how
// to speak to people and how to reach the network. Secrets travel in Configure.
var hostEnv = map[string]bool{
	"PATH": true, "HOME": true, "TMPDIR": true, "LANG": true, "TZ": true,
	"HTTP_PROXY": true, "HTTPS_PROXY": true, "ALL_PROXY": true, "NO_PROXY": true,
	"http_proxy": true, "https_proxy": true, "all_proxy": true, "no_proxy": true,
}

// childEnv is the allowed part of host followed by what go-plugin adds. os/exec
// takes the last value of a name, so the host's never override go-plugin's.
func childEnv(host, plugin []string) []string {
	env := make([]string, 0, len(hostEnv)+len(plugin))
	for _, kv := range host {
		name, _, _ := strings.Cut(kv, "=")
		if hostEnv[name] || strings.HasPrefix(name, "SSL_CERT_") {
			env = append(env, kv)
		}
	}
	return append(env, plugin...)
}
