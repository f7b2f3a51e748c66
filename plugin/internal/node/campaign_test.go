package node

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// TestOnePictureForFifty: a campaign makes one upload, however many messages are being sent at
// once, and everybody gets the same picture.
func TestOnePictureForFifty(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	content := picture(t)
	files := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(content) }))
	defer files.Close()
	const recipients = 50
	numbers := []string{anaNumber}
	for i := range recipients - 1 {
		number := fmt.Sprint(5_511_977_770_000 + i)
		_, err := w.sim.NewAccount(number) // the server plays its phone
		w.must(err)
		numbers = append(numbers, number)
	}
	ids := make([]string, len(numbers))
	var all sync.WaitGroup
	for i, number := range numbers {
		menu := menuTo(number)
		menu["mediaUrl"], menu["mediaType"] = files.URL+"/menu.png", "IMAGE"
		all.Go(func() {
			res, err := w.node.Execute(w.ctx(), client.Request{Operation: send.OpButtons, Input: raw(t, menu)}, nil)
			if err != nil {
				t.Errorf("recipient %d: %v", i, err)
				return
			}
			var out send.Output
			if err := json.Unmarshal(res.Output, &out); err != nil {
				t.Error(err)
			}
			ids[i] = out.MessageID
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	if got := w.sim.Media(); got.Uploads != 1 {
		t.Errorf("%d uploads for %d recipients", got.Uploads, recipients)
	}
	for i, id := range ids {
		rec, ok := w.sim.Record(id)
		if !ok || len(rec.Attempts) != 1 || rec.Attempts[0].Error != 0 || rec.Attempts[0].Biz() != 1 || rec.Attempts[0].To != w.sim.Account(numbers[i]).LID() {
			t.Errorf("recipient %d: %+v", i, rec.Attempts)
		}
	}
	m, err := ana.WaitID(w.ctx(), ids[0])
	w.must(err)
	image := m.Message.GetInteractiveMessage().GetHeader().GetImageMessage()
	if data, err := ana.Client().Download(w.ctx(), image); err != nil || string(data) != string(content) {
		t.Errorf("Ana opens %d bytes: %v", len(data), err)
	}
}
