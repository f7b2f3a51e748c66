package sim

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Phone creates the customer with this number, unless it exists, and returns the number
// in digits.
func (s *Simulation) Phone(ctx context.Context, number string) (string, error) {
	var made account
	err := s.control.call(ctx, "phones", map[string]string{"number": number, "name": s.nextName()}, &made)
	if taken(err) {
		return digits(number), nil
	}
	if err != nil {
		return "", fmt.Errorf("simulated phone %s: %w", number, err)
	}
	return made.Number, nil
}

// names are the names of the people, in the order in which they are created.
var names = []string{"Ana", "Bruno", "Carla", "Davi", "Elisa", "Fábio", "Gabi", "Hugo"}

func (s *Simulation) nextName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people++
	name := names[(s.people-1)%len(names)]
	if round := (s.people - 1) / len(names); round > 0 {
		name = fmt.Sprint(name, " ", round+1)
	}
	return name
}

// digits is a number in the simulator's form: digits only.
func digits(number string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
}

// Click waits until a phone shows the message, and taps the button on it.
func (s *Simulation) Click(ctx context.Context, id, button string) error {
	phone, _, err := s.shown(ctx, id)
	if err != nil {
		return err
	}
	return s.control.call(ctx, "phones/"+phone+"/click", map[string]string{"messageId": id, "buttonId": button}, nil)
}

// Reply waits until a phone shows the message, and sends a text to its chat.
func (s *Simulation) Reply(ctx context.Context, id, words string) error {
	phone, m, err := s.shown(ctx, id)
	if err != nil {
		return err
	}
	return s.say(ctx, phone, m.Chat, words)
}

// Write sends a text from the customer with this number to an instance that was connected.
func (s *Simulation) Write(ctx context.Context, phone, instance, words string) error {
	number, ok := s.Numbers()[instance]
	if !ok {
		return fmt.Errorf("instance %s is not connected", instance)
	}
	return s.say(ctx, phone, number, words)
}

func (s *Simulation) say(ctx context.Context, phone, to, words string) error {
	return s.control.call(ctx, "phones/"+phone+"/text", map[string]string{"to": to, "text": words}, nil)
}

// look is how long one request for a phone's messages waits for a new one.
const look = 5 * time.Second

// shown waits until a phone shows the message.
func (s *Simulation) shown(ctx context.Context, id string) (phone string, _ message, err error) {
	all, err := s.control.accounts(ctx)
	if err != nil {
		return "", message{}, err
	}
	type found struct {
		phone string
		message
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	first := make(chan found, len(all))
	people := 0
	for _, a := range all {
		if a.Kind != "phone" {
			continue
		}
		people++
		go func() {
			if m, ok := s.await(ctx, a.Number, id); ok {
				first <- found{a.Number, m}
			}
		}()
	}
	select {
	case f := <-first:
		return f.phone, f.message, nil
	case <-ctx.Done():
		return "", message{}, fmt.Errorf("message %s did not come to any of %d simulated phones: %w", id, people, ctx.Err())
	}
}

// await reads a phone's messages until it finds the one with this id.
func (s *Simulation) await(ctx context.Context, phone, id string) (message, bool) {
	after := ""
	for ctx.Err() == nil {
		var shown []message
		if err := s.control.call(ctx, "phones/"+phone+"/inbox?"+url.Values{"wait": {look.String()}, "after": {after}}.Encode(), nil, &shown); err != nil {
			s.log.Debug("look at a simulated phone", "err", err)
			return message{}, false
		}
		if i := slices.IndexFunc(shown, func(m message) bool { return m.ID == id }); i >= 0 {
			return shown[i], true
		}
		if len(shown) > 0 {
			after = shown[len(shown)-1].ID
		}
	}
	return message{}, false
}
