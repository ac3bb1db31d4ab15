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
