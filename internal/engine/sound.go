package engine

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/cnetlab/cnet/internal/store"
	"github.com/cnetlab/cnet/internal/topology"
)

// sound refuses a topology that no command can have written, in the name of the
// file that has the fault.
func (e *Engine) sound(t topology.Topology) error {
	err := t.Check()
	var f *topology.Fault
	if errors.As(err, &f) {
		path := e.Store.Object(f.Kind+"s", f.Name)
		return e.hint(path, damaged(path, f.Err))
	}
	return err
}

// within refuses files of a journal that are not cnet's own.
func (e *Engine) within(files []store.File) error {
	for _, f := range files {
		inState := strings.HasPrefix(f.Path, e.Store.State+"/")
		inRun := strings.HasPrefix(f.Path, e.Store.Run+"/")
		if f.Path != filepath.Clean(f.Path) || !inState && !inRun {
			return fmt.Errorf("%q is no file of cnet's", f.Path)
		}
	}
	return nil
}
