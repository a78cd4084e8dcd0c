package stream

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"stream-api/internal/legible"
)

// Shown is a text of strangers as it may leave this process: secrets in URLs
// masked, and nothing in it that moves a terminal or reverses text.
func Shown(s string) string { return Printable(MaskURLs(s)) }

// ShownVar is what may be shown of a variable of that name.
func ShownVar(name, value string) string {
	if value != "" && SecretName(name) {
		return Masked
	}
	return Shown(value)
}

// Printable escapes what a terminal does not show as it is: control characters,
// marks of direction, bytes that are no UTF-8. Tabs and breaks of lines become blanks.
func Printable(s string) string { return legible.Line(blanks.Replace(s)) }

var blanks = strings.NewReplacer("\t", " ", "\r\n", " ", "\n", " ")

// Show makes what v points to fit to be shown, in place: every string in it, at
// any depth, becomes Shown, and a map of variables is masked by their names. So
// whoever adds a field need not think of it. A field that is to be kept says so:
//
//	show:"name"       as it is: whoever reads it looks it up under this name
//	show:"printable"  Printable, not masked: it cannot hold a secret
//
// It writes only what differs. Slices and maps of v must be its own. It panics at
// a type it does not know, which a test does for every type that is shown.
func Show(v any) { show(reflect.ValueOf(v).Elem(), Shown) }

func show(v reflect.Value, text func(string) string) {
	switch v.Kind() {
	case reflect.String:
		if s := v.String(); text(s) != s {
			v.SetString(text(s))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			show(v.Elem(), text)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			show(v.Index(i), text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			showField(v.Field(i), v.Type().Field(i), text)
		}
	case reflect.Map:
		showMap(v, text)
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
	default:
		panic(fmt.Sprintf("stream.Show: a value of type %s", v.Type()))
	}
}

// showMap shows variables by their names, and of other maps the values; the names of
// both are looked up by nobody.
func showMap(v reflect.Value, text func(string) string) {
	out := reflect.MakeMapWithSize(v.Type(), v.Len())
	vars, ok := v.Interface().(map[string]string)
	switch {
	case ok:
		for name, value := range vars {
			out.SetMapIndex(reflect.ValueOf(Printable(name)), reflect.ValueOf(ShownVar(name, value)))
		}
	case v.IsNil():
		return
	case v.Type().Key().Kind() == reflect.String && slices.Contains([]reflect.Kind{reflect.Struct, reflect.Slice}, v.Type().Elem().Kind()):
		for rows := v.MapRange(); rows.Next(); {
			row := reflect.New(v.Type().Elem()).Elem()
			row.Set(rows.Value())
			show(row, text)
			out.SetMapIndex(reflect.ValueOf(Printable(rows.Key().String())), row)
		}
	default:
		panic(fmt.Sprintf("stream.Show: a map of type %s", v.Type()))
	}
	v.Set(out)
}

func showField(v reflect.Value, field reflect.StructField, text func(string) string) {
	switch how := field.Tag.Get("show"); how {
	case "":
		show(v, text)
	case "printable":
		show(v, Printable)
	case "name":
	default:
		panic(fmt.Sprintf("stream.Show: %s says show:%q", field.Name, how))
	}
}
