package main

import (
	"slices"

	"stream-api/stream"
)

// insertSites says of each slot at which site it is, beside its host, where hosts
// have sites.
func (t *table) insertSites(status stream.Status) {
	site := map[string]string{}
	for _, h := range status.Hosts {
		if s := h.Labels[stream.LabelSite]; s != "" {
			site[h.Host] = s
		}
	}
	if len(site) > 0 {
		t.insert("SITE", "HOST", func(host string) string { return site[host] })
	}
}

// insertLabels says of each host what it is, where hosts have labels.
func (t *table) insertLabels(status stream.Status) {
	labels := map[string]string{}
	for _, h := range status.Hosts {
		if len(h.Labels) > 0 {
			labels[h.Host] = stream.Labels(h.Labels).String()
		}
	}
	if len(labels) == 0 {
		return
	}
	t.insert("LABELS", "LEASE", func(string) string { return "" })
	host, at := slices.Index(t.head, "HOST"), slices.Index(t.head, "LABELS")
	for _, row := range t.rows {
		row[at].text = labels[row[host].text]
		if row[host].text == " " {
			row[at].text = " " // a further service of the host above
		}
	}
}

// insert adds a column behind another, filled by what that one says.
func (t *table) insert(name, behind string, of func(text string) string) {
	at := slices.Index(t.head, behind) + 1
	t.head = slices.Insert(t.head, at, name)
	for i, row := range t.rows {
		t.rows[i] = slices.Insert(row, at, cell{of(row[at-1].text), plain})
	}
}
