package edge

import (
	"io"
	"net/http"
	"testing"
)

// BenchmarkRequest leads requests over kept connections; client and backend count too.
func BenchmarkRequest(b *testing.B) {
	body := make([]byte, 1<<10)
	_, at := serving(b, one(b, limits, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }), false)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			res, err := client.Get("http://" + at)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	})
}
