package clicks

import "testing"

func TestClickFilter(t *testing.T) {
	event := Clicked{Instance: "shop-1", Chat: Chat{Type: Private}, Button: ClickedButton{ID: "yes"}, Menu: &MenuRef{Source: "crm"}}
	unknown := event
	unknown.Menu = nil
	for filter, want := range map[string][2]bool{ // passes: event, unknown
		``:                                        {true, false},
		`{}`:                                      {true, false},
		`{"unknownMenus":true}`:                   {true, true},
		`{"instances":["shop-1","shop-2"]}`:       {true, false},
		`{"instances":["shop-2"]}`:                {false, false},
		`{"chats":"private"}`:                     {true, false},
		`{"chats":"group"}`:                       {false, false},
		`{"chats":"any","buttonIds":["yes"]}`:     {true, false},
		`{"buttonIds":["no"]}`:                    {false, false},
		`{"sources":["crm"]}`:                     {true, false},
		`{"sources":["n8n"]}`:                     {false, false},
		`{"sources":["crm"],"unknownMenus":true}`: {true, false},
	} {
		f, violations := ParseClickFilter([]byte(filter))
		if len(violations) > 0 {
			t.Errorf("%s: %v", filter, violations)
		}
		if got := [2]bool{f.Match(event), f.Match(unknown)}; got != want {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
}

func TestMessageFilter(t *testing.T) {
	event := MessageReceived{Instance: "shop-1", Chat: Chat{Type: Group}, Kind: KindText, Text: " Menu\n"}
	for filter, want := range map[string]bool{
		``: true, `{"chats":"group"}`: true, `{"chats":"private"}`: false,
		`{"kinds":["text"]}`: true, `{"kinds":["image"]}`: false,
		`{"keywords":["start","MENU"]}`: true, `{"keywords":["men"]}`: false,
		`{"instances":["x"]}`: false,
	} {
		f, violations := ParseMessageFilter([]byte(filter))
		if len(violations) > 0 || f.Match(event) != want {
			t.Errorf("%s: %v, want %v (%v)", filter, f.Match(event), want, violations)
		}
	}
}

func TestFilterViolations(t *testing.T) {
	for filter, want := range map[string]string{
		`{"chats":"all"}`:       "/chats Chats must be one of: any, private, group",
		`{"instances":"shop"}`:  "/instances Invalid filter: /instances must be an array, not a string",
		`{"instances":["a",1]}`: "/instances/1 Invalid filter: /instances/1 must be a string, not the number 1",
		`{"button":["a"]}`:      `/button Invalid filter: unknown member "button"`,
	} {
		_, violations := ParseClickFilter([]byte(filter))
		if len(violations) != 1 || violations[0].Pointer+" "+violations[0].Message != want {
			t.Errorf("%s: %+v, want %s", filter, violations, want)
		}
	}
	if _, violations := ParseMessageFilter([]byte(`[]`)); len(violations) != 1 {
		t.Errorf("array: %v", violations)
	}
}
