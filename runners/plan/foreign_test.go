package plan

import (
	"strings"
	"testing"

	"stream-api/stream"
)

func TestAStrangersValueBecomesNoOption(t *testing.T) {
	t.Parallel()
	lookup := func(ref stream.Ref) (string, bool, error) {
		if ref.Name == "none" {
			return "", false, nil
		}
		return "--output=/etc/x", true, nil
	}
	for given, fine := range map[string]bool{
		"${dist:out}": false, "${stream:title}": false, "${source:url}/x": false, "${dist:out:-x}": false,
		"-- ${dist:out}": true, "in=${dist:out}": true, "${host:option}": true, "${place:option}": true, "${stream:none:--1}": true, "-x": true,
	} {
		var templates []stream.Template
		for word := range strings.FieldsSeq(given) {
			v, err := stream.ParseTemplate(word)
			if err != nil {
				t.Fatal(err)
			}
			templates = append(templates, v)
		}
		out, err := resolveAll(templates, lookup, "argument")
		if (err == nil) != fine {
			t.Errorf("%s: %q, %v; want it taken: %v", given, out, err, fine)
		}
		if err != nil && !strings.Contains(err.Error(), "option") {
			t.Errorf("%s: %v", given, err)
		}
	}
}
