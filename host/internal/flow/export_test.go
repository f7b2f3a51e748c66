package flow

// For tests.
const Concealed = concealed

// SecretNames and Hinted are the two halves of what takes a name for that of a credential.
var (
	SecretNames = secretNames
	Hinted      = hinted
)

// Parse is parse, for tests.
var Parse = parse

// EvalTemplate compiles and evaluates a template over untyped vars, the way a
// node's input is.
func EvalTemplate(s string, vars map[string]any) (any, error) {
	in, err := compileUntyped(s, vars)
	if err != nil {
		return nil, err
	}
	return in.eval(bindingsOf(vars))
}

// compileUntyped compiles a template over vars whose types nothing says.
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
