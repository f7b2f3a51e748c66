package bench

import (
	"fmt"
	"math"
	"slices"
)

// turns asks every arm once per round, and returns the answers by arm and round. Another arm is first
// in each round, so that no arm always follows the same other one.
func turns(rounds, arms int, ask func(arm int) (float64, error)) ([][]float64, error) {
	answers := make([][]float64, arms)
	for r := range rounds {
		for i := range arms {
			arm := (i + r) % arms
			v, err := ask(arm)
			if err != nil {
				return nil, err
			}
			answers[arm] = append(answers[arm], v)
		}
	}
	return answers, nil
}

// stat is a median with its quartiles.
type stat struct{ median, low, high float64 }

func statOf(values []float64) stat {
	return stat{quantile(values, 0.5), quantile(values, 0.25), quantile(values, 0.75)}
}

// quantile interpolates between the two nearest values. It is NaN if there are no values.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// pairwise combines the answers of two arms in the same round.
func pairwise(a, b []float64, f func(a, b float64) float64) []float64 {
	out := make([]float64, min(len(a), len(b)))
	for i := range out {
		out[i] = f(a[i], b[i])
	}
	return out
}

func quotient(a, b float64) float64   { return a / b }
func difference(a, b float64) float64 { return a - b }

// text formats the median and the quartiles with a number of decimals.
func (s stat) text(decimals int) string {
	if math.IsNaN(s.median) {
		return "–"
	}
	if s.low == s.high {
		return fmt.Sprintf("%.*f", decimals, s.median)
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", decimals, s.median, decimals, s.low, decimals, s.high)
}
