package buttons_test

import (
	"fmt"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
)

// A request with three mistakes: the API answers with the first, a form shows all.
func ExampleValidate() {
	request, _ := buttons.Parse([]byte(`{
		"instance": "shop-1",
		"number": "5511999999999",
		"buttons": [{"id": "yes"}, {"id": "example.com", "displayText": "Site", "type": "URL"}]
	}`))
	violations, _ := buttons.Validate(request)
	for _, v := range violations {
		fmt.Printf("%s: %s (%s)\n", v.Pointer, v.Message, v.Suggestion)
	}
	// Output:
	// /contentText: ContentText is required (write the text that stands above the buttons)
	// /buttons/0/displayText: Button 1: DisplayText is required (write the text on the button)
	// /buttons/1/id: Button 2: ID must be an http or https address (begin with https:// and a host)
}

// A menu as text, and the answer somebody types.
func ExampleAnswer() {
	request, _ := buttons.Parse([]byte(`{
		"contentText": "How can we help?",
		"buttons": [{"id": "sales", "displayText": "Talk to sales"}, {"id": "hours", "displayText": "Opening hours"}]
	}`))
	fmt.Println(buttons.Text(request))
	if i, ok := buttons.Answer(request.Buttons, "2."); ok {
		fmt.Println("→", request.Buttons[i].ID)
	}
	// Output:
	// How can we help?
	//
	// 1. Talk to sales
	// 2. Opening hours
	// → hours
}
