package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// handout has packages take the pages from here, so that the program links
// nothing to make them.
var handout = flag.String("handout", "", "directory to write manual pages and completions to, for a package")

func TestEveryCommandHasAManualPage(t *testing.T) {
	dir := *handout
	if dir == "" {
		dir = t.TempDir()
	}
	pages, completions := filepath.Join(dir, "man"), filepath.Join(dir, "completions")
	for _, d := range []string{pages, completions} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	root := rootCommand()
	root.DisableAutoGenTag = true // a time in each page
	header := doc.GenManHeader{Title: "STREAM-API", Section: "1", Source: "stream-api", Manual: "stream-api"}
	if err := doc.GenManTree(root, &header, pages); err != nil {
		t.Fatal(err)
	}
	checkPages(t, root, pages)
	for shell, write := range map[string]func(string) error{
		"bash": func(path string) error { return root.GenBashCompletionFileV2(path, true) },
		"zsh":  root.GenZshCompletionFile,
		"fish": func(path string) error { return root.GenFishCompletionFile(path, true) },
	} {
		path := filepath.Join(completions, "stream-api."+shell)
		if err := write(path); err != nil {
			t.Fatal(err)
		}
		if content, err := os.ReadFile(path); err != nil || !bytes.Contains(content, []byte("__complete")) {
			t.Errorf("the completion for %s asks nothing of the program: %v", shell, err)
		}
	}
}

// checkPages expects each command that people are offered to have its page, with its flags.
func checkPages(t *testing.T, c *cobra.Command, dir string) {
	t.Helper()
	path := filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	says, _, _ := strings.Cut(c.Short, "`") // from there on it is set in bold
	for _, want := range []string{says, ".SH SYNOPSIS"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("%s lacks %q", path, want)
		}
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && !sub.IsAdditionalHelpTopicCommand() {
			checkPages(t, sub, dir)
		}
	}
}
