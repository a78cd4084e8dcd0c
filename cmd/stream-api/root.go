package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"stream-api/config"
	"stream-api/stream"
)

// global holds the flags that every command has.
type global struct {
	redis     string
	namespace string
	output    string
	origin    string // of redis, if it is not the flag
}

func rootCommand() *cobra.Command {
	g := &global{}
	root := &cobra.Command{
		Use:   "stream-api",
		Short: "Give every processing slot of every live stream to one host, and keep it running",
		Long: `stream-api gives each processing slot of each live stream to one host with
room, runs the work there, keeps it running, and moves it within seconds when
the host dies.

  stream-api demo               try it: needs nothing but this program
  stream-api run -c FILE        run this host
  stream-api status             what runs where, and why something does not

Exit codes: 0 ok, 1 failed, 2 usage or configuration, 3 not found,
4 no capacity or deadline passed.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&g.redis, "redis", "", "the store, such as redis://127.0.0.1:6379/0 (default: $STREAM_API_REDIS, /etc/stream-api/config.yaml, that address)")
	root.PersistentFlags().StringVar(&g.namespace, "namespace", "", "prefix of every key (default: $STREAM_API_NAMESPACE, /etc/stream-api/config.yaml, none)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError("%v; see --help", err) })
	root.AddGroup(
		&cobra.Group{ID: "host", Title: "This host:"},
		&cobra.Group{ID: "look", Title: "Look:"},
		&cobra.Group{ID: "act", Title: "Act:"},
	)
	root.AddCommand(commands(g)...)
	root.InitDefaultCompletionCmd()
	usageArgs(root)
	return root
}

func commands(g *global) []*cobra.Command {
	return []*cobra.Command{
		ownStore(runCommand(), "run takes its store from the file: network.redis and network.namespace"),
		ownStore(demoCommand(), "the demo brings a store of its own"),
		ownStore(checkConfigCommand(g), "check-config asks no store; that of a host is in its file: network.redis and network.namespace"),
		tryCommand(g),
		statusCommand(g), whyCommand(g), eventsCommand(g), logsCommand(g), doctorCommand(g), renderCommand(g),
		streamsCommand(g), jobsCommand(g), hostsCommand(g), servicesCommand(g), sourcesCommand(g), rebalanceCommand(g), hookCommand(g),
		versionCommand(g), licencesCommand(g),
	}
}

// ownStore has a command refuse the flags that name a store for the others:
// ignored, they would let a host join another store than it was told to.
func ownStore(c *cobra.Command, why string) *cobra.Command {
	names := []string{"redis", "namespace"}
	for _, name := range names {
		c.Flags().String(name, "", "not for this command")
		if err := c.Flags().MarkHidden(name); err != nil {
			panic(err) // it was defined in the line before
		}
	}
	c.PreRunE = func(cmd *cobra.Command, _ []string) error {
		for _, name := range names {
			if cmd.Flags().Changed(name) {
				return usageError("--%s: %s", name, why)
			}
		}
		return nil
	}
	return c
}

// filesByFlag is cobra.NoArgs for commands that take files: a second file after
// one -c is easily written.
func filesByFlag(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s: each file needs its own -c", stream.Quote(args[0]))
	}
	return nil
}

// usageArgs makes a wrong number of arguments, or a word that is no command, a
// usage error, in c and below.
func usageArgs(c *cobra.Command) {
	switch check := c.Args; {
	case c.HasSubCommands():
		c.Args, c.RunE = cobra.ArbitraryArgs, noSuchCommand
	case check != nil:
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError("%v; usage: %s", err, cmd.UseLine())
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		usageArgs(sub)
	}
}

// noSuchCommand is what runs when none of a command's own commands was named.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 && !cmd.HasParent() {
		return cmd.Help()
	}
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	if len(args) == 0 {
		return usageError("say what to do: %s %s", cmd.CommandPath(), strings.Join(names, "|"))
	}
	hint := "see --help"
	if best := config.Nearest(args[0], names); best != "" {
		hint = "did you mean " + best + "?"
	}
	return usageError("unknown command %s of %s; %s", stream.Quote(args[0]), cmd.CommandPath(), hint)
}

// outputFlag adds -o to a reading command.
func (g *global) outputFlag(c *cobra.Command) {
	c.Flags().StringVarP(&g.output, "output", "o", "table", "table or json")
	completeFlag(c, "output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

func (g *global) json() (bool, error) {
	switch g.output {
	case "json":
		return true, nil
	case "table", "":
		return false, nil
	}
	return false, usageError("-o %q: write table or json", g.output)
}
