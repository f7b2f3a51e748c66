package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/config"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/front"
	"github.com/tapnode/tapnode/sdk/schema"
)

// serveFlags are the flags of serve. Each can also be set by an environment variable and by a
// member of the configuration file: see package config.
type serveFlags struct {
	set      *flag.FlagSet
	config   *string
	host     hostFlags
	listen   *string
	hosts    list
	tlsCert  *string
	tlsKey   *string
	proxies  list
	origins  list
	flows    list
	database *string
	// databaseFile and tokenFile keep secrets out of the list of processes.
	databaseFile, tokenFile *string
	// peerListen and peerAddress are for the other hosts of the database.
	peerListen, peerAddress *string
	instances, phones       *list
	keep                    *retention
	secrets                 *string
	json                    *bool
}

func newServeFlags(command string) *serveFlags {
	fs := newFlags(command)
	f := &serveFlags{set: fs, host: addHostFlags(fs)}
	fs.BoolVar(f.host.verbose, "verbose", false, "log debug messages")
	f.config = fs.String("config", "", "read what flags and the environment leave out from this `FILE`, YAML or JSON")
	f.listen = fs.String("listen", "127.0.0.1:8080", "`ADDRESS` to listen on; one that is not loopback needs --host, and TLS or --behind-proxy")
	fs.Var(&f.hosts, "host", "answer to this `NAME` beside loopback ones, such as bot.example.com; may be repeated")
	f.tlsCert = fs.String("tls-cert", "", "`FILE` with the certificate and its chain, PEM; it is reloaded when it changes")
	f.tlsKey = fs.String("tls-key", "", "`FILE` with the certificate's key, PEM")
	fs.Var(&f.proxies, "behind-proxy", "believe X-Forwarded-For and -Proto of the proxies in this `CIDR`; may be repeated")
	fs.Var(&f.origins, "origin", "let web pages of this `ORIGIN` call, such as https://crm.example; may be repeated")
	fs.Var(&f.flows, "flows", "publish and serve this flow `FILE`, as an argument does; may be repeated")
	f.instances, f.phones = castFlags(fs)
	f.database = fs.String("database", "", "keep runs in Postgres, by its connection `STRING`, and not in a file of the data directory")
	f.databaseFile = fs.String("database-file", "", "`FILE` with that connection string, if there is a password in it")
	f.peerListen = fs.String("peer-listen", "127.0.0.1:0", "with --database: `ADDRESS` where the other hosts of the database call this one; on several machines, one that they reach")
	f.peerAddress = fs.String("peer-address", "", "`ADDRESS` by which they reach it, if that is not the one of --peer-listen")
	f.tokenFile = fs.String("account-token-file", "", "`FILE` with the account token; without one the host makes it at its first start")
	f.keep = retentionFlags(fs)
	f.secrets = fs.String("secrets", "", "JSON `FILE` with the secrets that webhooks of flows name: {\"NAME\": \"text\"}")
	f.json = fs.Bool("json", false, "print one JSON object per step; without it, steps that are too many to read are left out")
	return f
}

// read reads the command line, the environment and the configuration. The settings say where each
// value comes from.
func (f *serveFlags) read(c console, args []string) (paths []string, settings []config.Setting, err error) {
	if paths, err = parse(c, f.set, args); err != nil {
		return nil, nil, err
	}
	if given(f.set, "database") && hasPassword(*f.database) {
		return nil, nil, invalid("--database has a password in it, which everybody on this machine can read in the list of processes: use --database-file, or %s", config.EnvName("database"))
	}
	path := *f.config
	if path == "" {
		path = os.Getenv(config.EnvName("config"))
	}
	file, err := f.file(c, path)
	if err != nil {
		return nil, nil, err
	}
	if settings, err = config.Fill(f.set, file, os.LookupEnv); err != nil {
		return nil, nil, &exit{exitInvalid, err}
	}
	if len(paths) == 0 {
		paths = f.flows
	}
	return paths, settings, nil
}

// file reads the configuration file; without a path it returns an empty one.
func (f *serveFlags) file(c console, path string) (config.File, error) {
	if path == "" {
		return config.File{}, nil
	}
	file, findings, err := config.Read(path)
	if err != nil {
		return file, &exit{exitInvalid, err}
	}
	if len(findings) > 0 {
		return file, &exit{exitInvalid, errors.New(findingsText(path, findings))}
	}
	warnIfOpen(c, path)
	return file, nil
}

func findingsText(path string, findings []schema.Finding) string {
	var lines []string
	for _, x := range findings {
		line := path + ": " + x.Message
		if x.Pointer != "" {
			line = fmt.Sprintf("%s: %s: %s", path, x.Pointer, x.Message)
		}
		if x.Suggestion != "" {
			line += ": " + x.Suggestion
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// check finds errors that would stop serve at once, without starting anything.
func (f *serveFlags) check() error {
	_, doorErr := front.New(front.Options{Listen: *f.listen, Hosts: f.hosts, CertFile: *f.tlsCert, KeyFile: *f.tlsKey, Proxies: f.proxies})
	_, secretsErr := readSecrets(*f.secrets)
	_, settingsErr := readSettings(*f.host.settings)
	_, databaseErr := f.postgres()
	_, tokenErr := f.accountToken()
	return errors.Join(doorErr, secretsErr, settingsErr, databaseErr, tokenErr)
}

// postgres returns the connection string; "" keeps runs in the data directory.
func (f *serveFlags) postgres() (string, error) {
	if *f.databaseFile == "" {
		return *f.database, nil
	}
	if *f.database != "" {
		return "", invalid("give --database or --database-file, not both")
	}
	return readSecret(*f.databaseFile)
}

// accountTokenEnv names the environment variable with the account token to use.
const accountTokenEnv = "TAPNODE_ACCOUNT_TOKEN"

// accountToken returns the account token that was given, or "".
func (f *serveFlags) accountToken() (string, error) {
	if *f.tokenFile == "" {
		return os.Getenv(accountTokenEnv), nil
	}
	return readSecret(*f.tokenFile)
}

// maxSecret bounds a file with one secret, in bytes.
const maxSecret = 16 << 10

// readSecret reads a file with one secret, which may end with a new line.
func readSecret(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", &exit{exitInvalid, err}
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err != nil {
		return "", &exit{exitInvalid, err}
	}
	secret := strings.TrimSpace(string(raw))
	if secret == "" || len(raw) > maxSecret {
		return "", invalid("%s: want one secret of at most %d bytes", path, maxSecret)
	}
	return secret, nil
}

var passwordKey = regexp.MustCompile(`(?i)(^|[\s?&])(ssl)?password\s*=\s*[^\s&]`)

// hasPassword reports whether a connection string contains a password.
func hasPassword(dsn string) bool {
	if u, err := url.Parse(dsn); err == nil && u.User != nil {
		if password, ok := u.User.Password(); ok && password != "" {
			return true
		}
	}
	return passwordKey.MatchString(dsn)
}

// retention says how long finished runs are kept, and how many runs there may be.
type retention struct {
	age span
	max count
}

func retentionFlags(fs *flag.FlagSet) *retention {
	r := &retention{span(30 * 24 * time.Hour), 1_000_000}
	fs.Var(&r.age, "keep", "remove runs, with their history, this `TIME` after they are over, such as 90d")
	fs.Var(&r.max, "keep-runs", "keep at most this `NUMBER` of runs: beyond it those that were over first go, and never one that goes on")
	return r
}

func (r *retention) limits() sqllog.Limits {
	return sqllog.Limits{Keep: time.Duration(r.age), Runs: int(r.max)}
}

// span is a flag whose value is a duration, written as in flows.
type span time.Duration

func (s *span) String() string {
	if d := time.Duration(*s); d > 0 {
		return flow.Span(d)
	}
	return ""
}

func (s *span) Set(v string) error {
	var d flow.Duration
	if err := d.UnmarshalText([]byte(v)); err != nil {
		return err
	}
	if d < flow.Duration(time.Hour) {
		return errors.New("want at least 1h")
	}
	*s = span(d)
	return nil
}

// count is a flag with a number above 0.
type count int

func (n *count) String() string {
	if *n > 0 {
		return strconv.Itoa(int(*n))
	}
	return ""
}

func (n *count) Set(v string) error {
	i, err := strconv.Atoi(v)
	if err != nil || i < 1 {
		return errors.New("want a number above 0")
	}
	*n = count(i)
	return nil
}
