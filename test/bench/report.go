package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
)

// report is all that was measured.
type report struct {
	Machine  machine           `json:"machine"`
	Series   []*series         `json:"series"`
	Left     []left            `json:"left_out"`
	Versions map[string]string `json:"versions"`
}

// series are the values of one metric of one tool.
type series struct {
	key
	Values []float64 `json:"values"`
}

// key names a series.
type key struct {
	Scenario string `json:"scenario"`
	Tool     string `json:"tool"`
	X        int    `json:"x"`
	Metric   string `json:"metric"`
}

// left is a lane that was left out, or that ended early.
type left struct {
	Scenario string `json:"scenario"`
	Tool     string `json:"tool"`
	X        int    `json:"x"`
	Why      string `json:"why"`
}

func newReport() *report {
	return &report{Machine: thisMachine(), Versions: make(map[string]string)}
}

func (r *report) add(s scenario, l lane, figures map[string]float64) {
	for metric, v := range figures {
		k := key{s.name, l.tool, l.x, metric}
		found := r.find(k)
		if found == nil {
			found = &series{key: k}
			r.Series = append(r.Series, found)
		}
		found.Values = append(found.Values, v)
	}
}

func (r *report) find(k key) *series {
	for _, s := range r.Series {
		if s.key == k {
			return s
		}
	}
	return nil
}

func (r *report) leaveOut(s scenario, l lane, err error) {
	r.Left = append(r.Left, left{s.name, l.tool, l.x, err.Error()})
	progress("%s: left out: %s: %v", s.name, labelOf(s, l), err)
}

func (r *report) save(file string) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

func readReport(file string) (*report, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &r, nil
}

// median is the middle of values.
func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile is the value below which the part q of values lies.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := append([]float64(nil), values...)
	sort.Float64s(v)
	at := q * float64(len(v)-1)
	i := int(at)
	if i+1 >= len(v) {
		return v[len(v)-1]
	}
	return v[i] + (at-float64(i))*(v[i+1]-v[i])
}

// number is v with as many digits as mean something.
func number(v float64) string {
	switch {
	case v >= 100:
		return grouped(int(v + 0.5))
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// grouped is n with commas: 22,500.
func grouped(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}
