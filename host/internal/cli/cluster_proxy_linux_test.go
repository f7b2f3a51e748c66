package cli

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestClusterNginx uses the recipe for several hosts with nginx. Only one of its three hosts is
// alive, the others are machines that are gone, and no request may notice.
func TestClusterNginx(t *testing.T) {
	t.Parallel()
	program := needs(t, "nginx")
	throughProxy(t, func(dir, port, upstream, cert, key string) *exec.Cmd {
		server := recipe(t, "cluster/nginx.conf", "listen 443", "listen 127.0.0.1:"+port, "/etc/letsencrypt/live/bot.example.com/fullchain.pem", cert,
			"/etc/letsencrypt/live/bot.example.com/privkey.pem", key, "10.0.0.11:8080", freeAddress(t), "10.0.0.12:8080", upstream, "10.0.0.13:8080", freeAddress(t))
		user := ""
		if os.Geteuid() == 0 { // nginx's own user may not read the test's directory
			user = "user root;\n"
		}
		temp := ""
		for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			temp += fmt.Sprintf("%s_temp_path %s/%s;\n", kind, dir, kind)
		}
		conf := put(t, dir, "nginx.conf", user+"daemon off; pid "+dir+"/pid; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n"+temp+server+"}\n")
		return exec.CommandContext(t.Context(), program, "-e", "stderr", "-c", conf)
	})
}

// TestClusterHAProxy is TestClusterNginx with HAProxy, which checks the health of its hosts.
func TestClusterHAProxy(t *testing.T) {
	t.Parallel()
	program := needs(t, "haproxy")
	throughProxy(t, func(dir, port, upstream, cert, key string) *exec.Cmd {
		both := ""
		for _, file := range []string{cert, key} {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			both += string(raw)
		}
		conf := put(t, dir, "haproxy.cfg", recipe(t, "cluster/haproxy.cfg", "bind :443", "bind 127.0.0.1:"+port, "/etc/haproxy/bot.example.com.pem", put(t, dir, "both.pem", both),
			"10.0.0.11:8080", freeAddress(t), "10.0.0.12:8080", upstream, "10.0.0.13:8080", freeAddress(t)))
		return exec.CommandContext(t.Context(), program, "-db", "-f", conf)
	})
}

// TestClusterUnit makes systemd check the unit for several hosts, and the config command its
// configuration.
func TestClusterUnit(t *testing.T) {
	t.Parallel()
	program := needs(t, "systemd-analyze")
	dir := shortDir(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	unit := put(t, dir, "tapnode@.service", recipe(t, "cluster/tapnode@.service", "/usr/local/bin/tapnode", exe))
	for _, args := range [][]string{{"verify", filepath.Join(dir, "tapnode@1.service")}, {"security", "--offline=yes", "--threshold=20", unit}} {
		out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	address, _, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	succeeds(t, "config", "check", put(t, dir, "1.yaml", recipe(t, "cluster/tapnode.yaml", "10.0.0.11", address, "/usr/local/lib/tapnode/nodes", nodesDir)))
}
