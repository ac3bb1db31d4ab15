package store

import (
	"fmt"
	"path/filepath"
	"testing"
)

var object = []byte(`{"version":1,"container":{"name":"web","networks":[{"network":"lab","interface":"eth0","ip":"10.77.0.2","mac":"0a:77:0a:4d:00:02","default_route":true}],"publish":["8080:80/tcp"]}}`)

// BenchmarkApply writes one object's files, as the change of one container does:
// in its place, with the disk told to keep it.
func BenchmarkApply(b *testing.B) {
	dir := b.TempDir()
	s := Store{State: filepath.Join(dir, "lib"), Run: filepath.Join(dir, "run")}
	files := []File{{Path: s.Object("containers", "web"), Content: object}, {Path: s.LedgerFile("container web"), Content: object}}
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if err := s.Apply(files); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkObjects reads all objects of a kind.
func BenchmarkObjects(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := b.TempDir()
			s := Store{State: filepath.Join(dir, "lib"), Run: filepath.Join(dir, "run")}
			var files []File
			for i := 0; i < n; i++ {
				files = append(files, File{Path: s.Object("containers", fmt.Sprintf("c%d", i)), Content: object})
			}
			if err := s.Apply(files); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				if err := s.Objects("containers", func(string, []byte) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
