package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"stream-api/config"
	"stream-api/sources"
)

// config is a leaf and cannot take the list of sources.
func TestTheFileKnowsEachTypeOfIngest(t *testing.T) {
	t.Parallel()
	field, _ := reflect.TypeFor[config.SourceVars]().FieldByName("Type")
	_, known, _ := strings.Cut(field.Tag.Get("validate"), "oneof=")
	if got := strings.Fields(known); !slices.Equal(got, sources.Types) {
		t.Errorf("config/source.go takes the types %q, sources/config.go knows %q", got, sources.Types)
	}
}
