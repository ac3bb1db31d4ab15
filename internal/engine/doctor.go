package engine

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/cnetlab/cnet/internal/doctor"
)

// Doctor looks for what on this host will stop container networking. It takes
// no lock and writes nothing.
func (e *Engine) Doctor(ctx context.Context) doctor.Report {
	ctx, done := e.session(ctx)
	defer done()
	s, err := e.look()
	own := doctor.Own{Topology: s.topo, Made: s.made, Err: err}
	if data, _, err := e.Store.Pending(); err == nil && data != nil {
		var j journalFile
		_ = json.Unmarshal(data, &j) // its name is all that is wanted
		own.Pending = "cnet " + j.What
	}
	ledgers, _ := filepath.Glob(filepath.Join(filepath.Dir(e.Store.LedgerFile("host")), "*.json"))
	for _, path := range ledgers {
		if info, err := os.Stat(path); err == nil && info.ModTime().After(own.Changed) {
			own.Changed = info.ModTime()
		}
	}
	return doctor.Examine(ctx, own)
}
