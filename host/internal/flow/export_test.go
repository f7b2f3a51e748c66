package flow

// Concealed is concealed, for tests.
const Concealed = concealed

// SecretNames and Hinted are the two steps that recognize the name of a credential.
var (
	SecretNames = secretNames
	Hinted      = hinted
)

// Parse is parse, for tests.
var Parse = parse

// EvalTemplate compiles and evaluates a template over untyped vars, as for the input of a node.
func EvalTemplate(s string, vars map[string]any) (any, error) {
	in, err := compileUntyped(s, vars)
	if err != nil {
		return nil, err
	}
	return in.eval(bindingsOf(vars))
}

// compileUntyped compiles a template over vars of unknown types.
func compileUntyped(s string, vars map[string]any) (*input, error) {
	schema := map[string]any{}
	for k := range vars {
		schema[k] = map[string]any{}
	}
	f := &Flow{Nodes: []Node{{ID: "a"}}, Vars: map[string]any{"properties": schema}}
	c := &compilation{flow: f, cat: &Catalogue{}, program: &Program{}}
	in, errs := compileInput(s, "", c.environments()("a"))
	for _, e := range errs {
		return nil, e.err
	}
	return in, nil
}

func bindingsOf(vars map[string]any) bindings {
	return (&Program{flow: &Flow{}}).bind(Scope{Vars: vars})
}
