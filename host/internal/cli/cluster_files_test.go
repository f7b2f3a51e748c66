package cli

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/tapnode/tapnode/host/internal/config"
)

// TestClusterContainers reads the files for Compose and Kubernetes, which cannot be run here: each
// variable is one of serve's, and their references to each other are right.
func TestClusterContainers(t *testing.T) {
	t.Parallel()
	for name, least := range map[string]int{"compose.yaml": 6, "kubernetes.yaml": 6} {
		raw, err := os.ReadFile("../../../deploy/cluster/" + name)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		kinds := map[string]map[string]any{}
		for in := yaml.NewDecoder(bytes.NewReader(raw)); ; {
			var doc map[string]any
			if err := in.Decode(&doc); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			variablesIn(doc, found)
			if kind, ok := doc["kind"].(string); ok {
				kinds[kind] = doc
			}
		}
		var environ []string
		for v := range maps.Keys(found) {
			environ = append(environ, v+"=")
		}
		if unknown := config.Unknown(newServeFlags("serve").set, environ); len(unknown) > 0 || len(found) < least {
			t.Errorf("%s: of the %d variables serve does not know %v", name, len(found), unknown)
		}
		if name == "kubernetes.yaml" {
			kubernetes(t, kinds)
		}
	}
}

// variablesIn finds the host's variables in a file, as names of members or as values of the member
// "name".
func variablesIn(in any, found map[string]bool) {
	switch in := in.(type) {
	case map[string]any:
		for name, value := range in {
			if text, ok := value.(string); ok && name == "name" {
				name = text
			}
			if strings.HasPrefix(name, "TAPNODE_") {
				found[name] = true
			}
			variablesIn(value, found)
		}
	case []any:
		for _, value := range in {
			variablesIn(value, found)
		}
	}
}

// kubernetes checks the references between the objects.
func kubernetes(t *testing.T, kinds map[string]map[string]any) {
	at := func(kind, path string) any {
		var value any = kinds[kind]
		for name := range strings.SplitSeq(path, ".") {
			switch in := value.(type) {
			case map[string]any:
				value = in[name]
			case []any:
				value = in[name[0]-'0']
			}
		}
		return value
	}
	const pod, container = "spec.template.", "spec.template.spec.containers.0."
	labels, _ := at("StatefulSet", pod+"metadata.labels").(map[string]any)
	for kind, path := range map[string]string{"StatefulSet": "spec.selector.matchLabels", "Service": "spec.selector",
		"PodDisruptionBudget": "spec.selector.matchLabels", "NetworkPolicy": "spec.podSelector.matchLabels"} {
		if got, ok := at(kind, path).(map[string]any); !ok || len(labels) == 0 || !maps.Equal(got, labels) {
			t.Errorf("%s selects %v, and the pods are %v", kind, got, labels)
		}
	}
	if at("StatefulSet", container+"ports.0.name") != "http" || at("StatefulSet", container+"ports.1.name") != "peers" ||
		at("NetworkPolicy", "spec.ingress.1.ports.0.port") != "peers" || at("NetworkPolicy", "spec.ingress.1.from.0.podSelector.matchLabels.app") != labels["app"] {
		t.Error("the port for the other hosts is not theirs alone")
	}
	for probe, path := range map[string]string{"livenessProbe": "/healthz", "startupProbe": "/healthz", "readinessProbe": "/readyz"} {
		if got := at("StatefulSet", container+probe+".httpGet.path"); got != path {
			t.Errorf("%s asks %v", probe, got)
		}
	}
}
