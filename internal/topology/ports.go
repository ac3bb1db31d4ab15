package topology

import (
	"bytes"
	"encoding/json"
)

// Ports are the published ports of a container.
type Ports []Port

// UnmarshalJSON reads a list of ports in their text form. The library takes ten
// times as long for each, and a host may have thousands, which every command reads.
func (p *Ports) UnmarshalJSON(data []byte) error {
	list := make(Ports, 0, bytes.Count(data, []byte{','})+1)
	rest, ok := bytes.CutPrefix(data, []byte("["))
	for ok {
		var text []byte
		if rest, ok = bytes.CutPrefix(bytes.TrimLeft(rest, " \n\r\t,"), []byte(`"`)); !ok {
			break
		}
		if text, rest, ok = bytes.Cut(rest, []byte(`"`)); !ok || bytes.IndexByte(text, '\\') >= 0 {
			rest = nil
			break
		}
		port, err := ParsePort(string(text))
		if err != nil {
			return err
		}
		list = append(list, port)
	}
	if string(bytes.TrimLeft(rest, " \n\r\t")) != "]" {
		return json.Unmarshal(data, (*[]Port)(p)) // something else than plain texts
	}
	*p = list
	return nil
}
