package netns

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cnetlab/cnet/pkg/fact"
)

// Owned returns the named namespaces whose names say that they are cnet's own
// and no container's: cnet_NAME.
func Owned(context.Context) ([]fact.Fact, error) {
	entries, err := os.ReadDir(runDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var facts []fact.Fact
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "cnet_") {
			facts = append(facts, Named{Path: filepath.Join(runDir, e.Name())})
		}
	}
	return facts, nil
}

// Mark is what the first line of a file begins with that is cnet's. A file outlives
// a reboot, and must say itself whose it is.
const Mark = "# cnet "

// OwnedFiles returns the files below /etc/netns whose first line says that they
// are cnet's ("# cnet ...").
func OwnedFiles(context.Context) ([]fact.Fact, error) {
	paths, err := filepath.Glob("/etc/netns/*/*")
	if err != nil {
		return nil, err
	}
	var facts []fact.Fact
	for _, path := range paths {
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(string(content), Mark) {
			facts = append(facts, File{Path: path, Content: string(content)})
		}
	}
	return facts, nil
}
