package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestV1Insights: the figures are those of what happened on the phones, without trials.
func TestV1Insights(t *testing.T) {
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	type figures struct {
		Series []struct{ Sent, Clicks, Wrote, Silent, Failed int }
		Menus  []struct {
			Flow, Node            string
			Sent, Wrote, NoAnswer int
			Rate                  float64
			Buttons               []struct {
				Port string
				Taps int
				Rate float64
			}
			Took struct {
				MedianSeconds float64
				Histogram     []struct{ UpToSeconds, N int }
			}
		}
		Failures []struct {
			Operation, Code string
			N               int
		}
		Versions []struct {
			Flow    string
			Version int
		}
	}
	run := func(body string) {
		t.Helper()
		if status, answer := s.do(t, "POST", "/v1/flows/menu/runs", body); status != 201 {
			t.Fatal(status, answer)
		}
	}
	tap := func(button string) {
		t.Helper()
		if status, body := s.do(t, "POST", "/sim/v1/phones/5511999990001/click?wait=10s", `{"buttonId":"`+button+`"}`); status >= 300 {
			t.Fatal(status, body)
		}
	}
	ask := func() (f figures) {
		t.Helper()
		status, body := s.do(t, "GET", "/v1/insights?step=hour", "")
		if err := json.Unmarshal([]byte(body), &f); err != nil || status != 200 {
			t.Fatal(status, body, err)
		}
		return f
	}
	until := func(holds func(figures) bool) (f figures) {
		t.Helper()
		deadline(t, func() bool { f = ask(); return holds(f) })
		return f
	}
	tap("billing")
	until(func(f figures) bool { return len(f.Series) == 1 && f.Series[0].Sent == 2 })
	run(`{"vars":{"phone":"5511000000000"}}`) // no phone has this number
	until(func(f figures) bool { return len(f.Failures) == 1 })
	// The same run as a trial changes no figure.
	source := "apiVersion: flow/v1\nkind: Flow\nmetadata: {id: menu}\ntriggers: [{id: start, type: manual, to: say}]\nnodes: [{id: say, type: whatsapp.sendText@1, with: {instance: demo, number: \"5511999990001\", contentText: hi}}]\n"
	s.do(t, "PUT", "/v1/flows/menu/draft", source, "Content-Type", "application/yaml")
	run(`{"version":2}`)
	deadline(t, func() bool {
		_, body := s.do(t, "GET", "/v1/runs?flow=menu&trial=true&status=succeeded", "")
		return strings.Contains(body, `"trial":true`)
	})
	f := ask()
	if len(f.Series) == 2 { // a new hour has begun meanwhile
		t.Skip("an hour ended in the middle")
	}
	if len(f.Series) != 1 || f.Series[0].Sent != 2 || f.Series[0].Clicks != 1 || f.Series[0].Failed != 1 {
		t.Errorf("series: %+v", f.Series)
	}
	if len(f.Menus) != 1 || f.Menus[0].Node != "ask" || f.Menus[0].Sent != 1 || len(f.Menus[0].Buttons) != 1 || f.Menus[0].Buttons[0].Port != "reply:billing" || f.Menus[0].Buttons[0].Rate != 1 ||
		f.Menus[0].Took.MedianSeconds != 5 || len(f.Menus[0].Took.Histogram) != 10 || f.Menus[0].Took.Histogram[0].N != 1 {
		t.Errorf("menus: %+v", f.Menus)
	}
	if len(f.Failures) != 1 || f.Failures[0].Operation != "whatsapp.sendButtons@1" || f.Failures[0].Code != "invalid_number" || f.Failures[0].N != 1 {
		t.Errorf("failures: %+v", f.Failures)
	}
	if len(f.Versions) != 1 || f.Versions[0].Flow != "menu" || f.Versions[0].Version != 1 {
		t.Errorf("versions: %+v", f.Versions)
	}
	for table, want := range map[string]string{
		"series": "at,sent,clicks,wrote,silent,failed\n", "menus": "menu,ask,1,reply:billing,1,1.0000,5.0\nmenu,ask,1,wrote instead,0,0.0000,5.0\nmenu,ask,1,no answer,0,0.0000,5.0",
		"failures": "operation,code,count\nwhatsapp.sendButtons@1,invalid_number,1", "versions": ",menu,1",
	} {
		status, header, body := s.asked(t, "GET", "/v1/insights?table="+table, "", "Accept", "text/csv")
		if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "text/csv") || !strings.Contains(body+"\n", want) {
			t.Errorf("%s: %d %v %s", table, status, header, body)
		}
	}
	for _, query := range []string{"from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "step=hour&from=2020-01-01T00:00:00Z", "step=week"} {
		if status, body := s.do(t, "GET", "/v1/insights?"+query, ""); status != 400 {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
}
