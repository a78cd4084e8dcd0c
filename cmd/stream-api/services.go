package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"stream-api/store"
	"stream-api/stream"
)

// serviceRow is one service as `services ls -o json` shows it.
type serviceRow struct {
	Host string `json:"host"`
	stream.ServiceStatus
}

func servicesCommand(g *global) *cobra.Command {
	c := &cobra.Command{Use: "services", Short: "List services and set their capacity", GroupID: "act", Args: cobra.NoArgs}
	ls := &cobra.Command{
		Use: "ls [TYPE]", Short: "List services by type", Args: cobra.MaximumNArgs(1), ValidArgsFunction: g.completes(ofTypes),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.json()
			if err != nil {
				return err
			}
			s, done, err := g.open(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			rows, err := serviceRows(cmd, s, args)
			if err != nil {
				return err
			}
			if len(rows) == 0 && len(args) > 0 {
				types, err := s.Types(cmd.Context())
				if err != nil {
					return err
				}
				return unknown("service", args[0], types)
			}
			if asJSON {
				return printJSON(os.Stdout, rows)
			}
			t := &table{head: []string{"SERVICE", "HOST", "STATE", "USED", "FILTER", "URL", "NOTE"}}
			for _, r := range rows {
				t.add(cell{r.Type, plain}, cell{r.Host, plain}, cell{string(r.State), hostColour(r.State)}, cell{usedText(r.ServiceStatus), usedColour(r.ServiceStatus)},
					cell{r.Filter, plain}, cell{r.URL, plain}, cell{r.Reason, red})
			}
			return t.write(os.Stdout, onTerminal(os.Stdout))
		},
	}
	g.outputFlag(ls)
	c.AddCommand(ls, servicesSet(g))
	return c
}

func servicesSet(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "set TYPE HOST capacity=N", Short: "Set a service's capacity (capacity= for no limit); it stays until the host's file says another number", Args: cobra.ExactArgs(3), ValidArgsFunction: g.completes(ofTypes, ofHosts),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, ok := strings.CutPrefix(args[2], "capacity=")
			if !ok {
				return usageError("%s: write capacity=N", stream.Quote(args[2]))
			}
			if args[0] == stream.SourceType {
				return usageError("%q are the sources, which hold no slots; a service has a capacity", args[0])
			}
			var capacity *int
			if text != "" {
				n, err := strconv.Atoi(text)
				if err != nil || n < 0 || n > 1_000_000 {
					return usageError("capacity %s is no whole number from 0 to 1000000", stream.Quote(text))
				}
				capacity = &n
			}
			s, done, err := g.open(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			if err := s.SetCapacity(cmd.Context(), args[0], args[1], capacity); err != nil {
				return knownService(cmd.Context(), s, args[0], args[1], err)
			}
			say("%s on %s: capacity=%s", args[0], args[1], text)
			but, err := s.PoolsAllow(cmd.Context(), args[0], args[1], capacity)
			if err != nil {
				return err
			}
			if but != "" {
				say("%s", but)
			}
			return nil
		},
	}
}

// knownService turns the store's word that a service is not there into one
// that helps.
func knownService(ctx context.Context, s *store.Store, stype, host string, err error) error {
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	h, hostErr := readHost(ctx, s, host)
	if hostErr != nil {
		return hostErr
	}
	types := make([]string, 0, len(h.Services))
	for _, v := range h.Services {
		types = append(types, v.Type)
	}
	return unknown("service of "+host, stype, types)
}

func serviceRows(cmd *cobra.Command, s *store.Store, args []string) ([]serviceRow, error) {
	status, err := readStatus(cmd.Context(), s)
	if err != nil {
		return nil, err
	}
	rows := []serviceRow{}
	for _, h := range status.Hosts {
		for _, v := range h.Services {
			if len(args) == 0 || args[0] == v.Type {
				rows = append(rows, serviceRow{Host: h.Host, ServiceStatus: v})
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b serviceRow) int { return cmp.Compare(a.Type, b.Type) })
	return rows, nil
}
