package flow

import (
	"regexp"
	"slices"

	"github.com/tapnode/tapnode/sdk"
)

// Outlined is a step or a trigger of a flow file, as a list across all flows shows it.
type Outlined struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`
	Type     string `json:"type"`
	Trigger  bool   `json:"trigger,omitempty" doc:"It starts runs."`
	Instance string `json:"instance,omitempty" doc:"Which it names, or a variable's default that it takes."`
	// Choices are the exits whose labels are written in the file; exits with computed labels are
	// left out.
	Choices []sdk.Port `json:"choices,omitempty" doc:"The exits that an answer chooses from, such as buttons, with what they say."`
}

// ofVariable matches a value that is one variable and nothing else.
var ofVariable = regexp.MustCompile(`^\$\{\s*vars\.(\w+)\s*\}$`)

// Outline lists the triggers and steps of a flow file, even if it cannot run yet. The list is empty
// for a file that cannot be read.
func (c *Catalogue) Outline(src []byte) []Outlined {
	doc, syntax := read(src)
	if syntax != nil {
		return nil
	}
	variables := member(member(doc.root, "vars"), "properties")
	var out []Outlined
	for _, of := range []string{"triggers", "nodes"} {
		all, _ := member(doc.root, of).([]any)
		for _, one := range all {
			o := Outlined{ID: textIn(one, "id"), Name: textIn(one, "name"), Type: textIn(one, "type"), Trigger: of == "triggers"}
			o.Instance = textIn(member(one, "with"), "instance")
			if named := ofVariable.FindStringSubmatch(o.Instance); named != nil {
				o.Instance = textIn(member(variables, named[1]), "default")
			}
			if ports, offered, _, _ := c.Ports(o.Type, member(one, "with")); len(offered) > 0 {
				o.Choices = slices.DeleteFunc(ports, func(p sdk.Port) bool { return !slices.Contains(offered, p.ID) || p.Label == "" })
			}
			if o.ID != "" {
				out = append(out, o)
			}
		}
	}
	return out
}

func textIn(value any, name string) string {
	text, _ := member(value, name).(string)
	return text
}
