package config

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"stream-api/stream"
)

// collectKeys walks every type the decoder fills.
func collectKeys(keys *[]string) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(t.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if seen[t] || t == templateType || t == regexpType.Elem() {
			return
		}
		seen[t] = true
		for i := range t.NumField() {
			if name := t.Field(i).Tag.Get("yaml"); name != "" && name != "-" {
				*keys = append(*keys, name)
			}
			walk(t.Field(i).Type)
		}
	}
	walk(reflect.TypeFor[Config]())
	walk(reflect.TypeFor[chainItem]())
}

func TestTheWalkFindsTheKeysOfEveryLevel(t *testing.T) {
	var keys []string
	collectKeys(&keys)
	found := map[string]bool{}
	for _, key := range keys {
		found[key] = true
	}
	for _, key := range []string{"network", "give_up_after", "gone_after", "places", "match", "post_stop", "on_new_session", "slot"} {
		if !found[key] {
			t.Errorf("%s was not found", key)
		}
	}
}

// documentedDefaults are the defaults as the reference must show them, by
// path, read from the values themselves.
func documentedDefaults(t *testing.T) map[string]string {
	t.Helper()
	defaults := map[string]string{}
	add := func(prefix string, target any) {
		if t, ok := target.(defaulter); ok {
			t.setDefaults()
		}
		flatten(prefix, reflect.ValueOf(target).Elem(), defaults)
	}
	add("", &Config{})
	add("sources[].", &Source{})
	add("services.<type>.", &Service{})
	add("services.<type>.plugin.", defaultExec())
	if len(defaults) < 20 {
		t.Fatalf("only %d defaults found", len(defaults))
	}
	return defaults
}

func flatten(prefix string, v reflect.Value, into map[string]string) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		field := v.Field(i)
		if v.Type().Field(i).Anonymous {
			flatten(prefix, field, into)
		}
		if name == "" || name == "-" || field.IsZero() {
			continue
		}
		switch value := field.Interface().(type) {
		case time.Duration:
			into[prefix+name] = short(value)
		case stream.Template:
			into[prefix+name] = value.String()
		default:
			if field.Kind() == reflect.Struct {
				flatten(prefix+name+".", field, into)
				continue
			}
			into[prefix+name] = fmt.Sprint(value)
		}
	}
}
