// Command section replaces one marked part of a Markdown file by the content
// of another file: what stands between "<!-- begin NAME -->" and
// "<!-- end NAME -->".
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: section PAGE NAME CONTENT")
		os.Exit(2)
	}
	if err := replace(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "section:", err)
		os.Exit(1)
	}
}

func replace(page, name, content string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	fresh, err := os.ReadFile(content)
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(fresh)) == "" {
		return fmt.Errorf("%s is empty: nothing was measured", content)
	}
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no section between %q and %q", page, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(page, []byte(before+begin+string(fresh)+end+after), 0o644)
}
