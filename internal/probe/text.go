package probe

import (
	"fmt"
	"strings"
	"time"
)

const columns = 80

// Text is the result for people: the answer as it is, or what went wrong and
// what that usually means. It ends with a newline.
func (r Result) Text() string {
	switch {
	case r.OK && r.Target.Scheme == TCP:
		return fmt.Sprintf("connected to %s from %s in %s\n", r.Remote, r.Local, r.Elapsed.Round(10*time.Microsecond))
	case r.OK:
		return line(r.Body)
	}
	head := r.Error + "\n"
	if r.Errno != "" {
		head = r.Errno + "  " + head
	}
	text := head + wrap(r.Meaning, "  ", columns)
	if r.Body != "" {
		text += "\n" + line(r.Body)
	}
	return text
}

func line(s string) string {
	if s == "" || strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}

// wrap breaks a sentence between words.
func wrap(s, indent string, width int) string {
	var b strings.Builder
	at := 0
	for _, word := range strings.Fields(s) {
		switch {
		case at == 0:
			b.WriteString(indent)
			at = len(indent)
		case at+1+len(word) > width:
			b.WriteString("\n" + indent)
			at = len(indent)
		default:
			b.WriteString(" ")
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	if at > 0 {
		b.WriteString("\n")
	}
	return b.String()
}
