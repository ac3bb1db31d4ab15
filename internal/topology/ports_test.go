package topology

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPortsReadAsTheLibraryReadsThem holds the short way to the long one.
func TestPortsReadAsTheLibraryReadsThem(t *testing.T) {
	for _, text := range []string{
		`["8080:80/tcp", "127.0.0.1:53:53/udp"]`, "[\n  \"8080:80/tcp\",\n\t\"[fd77::1]:7000-7009:80-89/sctp\"\n]", `[]`, ` [ ] `, `null`,
		`["\u0038080:80"]`, `["80", "\u0038080:80", "81"]`, `["80\/udp"]`, `["8080:80/tcp" , "9"]`,
		`["x"]`, `[80]`, `[["80"]]`, `{}`, `"80"`, `[""]`, `["80\""]`, `["]"]`,
	} {
		var short Ports
		var long []Port
		err, want := json.Unmarshal([]byte(text), &short), json.Unmarshal([]byte(text), &long)
		if diff := cmp.Diff(long, []Port(short), cmp.Comparer(func(a, b Port) bool { return a == b })); (err == nil) != (want == nil) || err == nil && diff != "" {
			t.Errorf("%s: %v, want %v\n%s", text, err, want, diff)
		}
	}
}
