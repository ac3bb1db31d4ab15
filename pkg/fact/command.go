package fact

import (
	"strings"
)

// Command is one command that a person could type.
type Command struct {
	Argv    []string `json:"argv"`
	Output  string   `json:"output,omitempty"`   // file that standard output is written to
	MayFail bool     `json:"may_fail,omitempty"` // failing means that there was nothing to do
}

// Cmd is the command with these words.
func Cmd(argv ...string) Command { return Command{Argv: argv} }

// String is the command as a line for a POSIX shell, every word quoted as it needs.
func (c Command) String() string {
	words := make([]string, len(c.Argv))
	for i, w := range c.Argv {
		words[i] = Quote(w)
	}
	line := strings.Join(words, " ")
	if c.Output != "" {
		line += " > " + Quote(c.Output)
	}
	if c.MayFail {
		line += " || true"
	}
	return line
}

// Quote returns word so that a POSIX shell reads exactly word.
func Quote(word string) string {
	if word == "!" || word != "" && strings.IndexFunc(word, special) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func special(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("_-+=./,:@%^", r)
}
