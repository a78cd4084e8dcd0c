package store_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"stream-api/store"
	"stream-api/stream"
)

// kept are the fields that are shown as they are, or not masked. To add one here
// is to say that it never holds a secret.
var kept = []string{
	"StreamStatus.Key", "RulesStatus.By", "DifferingFile.Host", "StreamStatus.Source", "StreamStatus.Chain", "Item.Type", "StreamStatus.SwitchedOn", "StreamStatus.SwitchedOff", "InstanceStatus.Slot", "InstanceStatus.Instance", "InstanceStatus.Name", "InstanceStatus.Type", "InstanceStatus.Host", "InstanceStatus.Token", "InstanceStatus.Pin", "InstanceStatus.With", "TogetherStatus.With",
	"HostStatus.Host", "ServiceStatus.Type", "ServiceStatus.Filter", "SourceStatus.Name", "SourceStatus.Expect", "SourceStatus.Stalled", "SourceStatus.OverExample",
	"Rebalancing.Stream", "Rebalancing.Slot", "Rebalancing.Instance", "Rebalancing.Name", "Rebalancing.Type", "Rebalancing.From", "Rebalancing.To", "WhyStatus.Key", "WhyStatus.Slot", "WhyStatus.Instance", "WhyStatus.Name", "WhyStatus.Type", "WhyStatus.Host", "WhyHost.Host", "WhyDo.Command",
	"StreamStatus.Down", "StreamStatus.Degraded", "FragileStatus.Stream", "FragileStatus.Slot", "FragileStatus.Instance", "FragileStatus.Name", "FragileStatus.Type", "FragileStatus.Host", "ServiceStatus.Needs",
	"JobStatus.Stream", "JobStatus.Job", "JobStatus.Name", "JobStatus.Type", "JobStatus.Host", "JobStatus.Token", "JobStatus.Of", "JobStatus.OfHost", "JobStatus.OfToken", "JobStatus.BoundTo",
	"RefusedStatus.Host", "Item.Apart", "Item.Spread", "Item.Each", "Item.Near", "Item.With", "Item.Of", "PoolStatus.Pool", "ServiceStatus.Uses", "Event.ID", "Event.Event", "Event.Stream", "Event.Slot", "Event.Host", "Event.Token",
}

const secret = "http://u:hunter2@h/x?token=hunter2\x1b[2J"

// tomorrow is what a colleague adds without a thought of secrets.
type tomorrow struct {
	stream.InstanceStatus
	New  string
	Deep []*struct{ More map[string]string }
}

func TestWhatIsShownIsMaskedUnlessItSaysOtherwise(t *testing.T) {
	t.Parallel()
	for _, v := range []any{&stream.Status{}, &stream.WhyStatus{}, &stream.JobStatus{}, &stream.Rebalancing{}, &store.Event{}, &tomorrow{}} {
		fill(reflect.ValueOf(v).Elem())
		stream.Show(v)
		check(t, reflect.ValueOf(v).Elem(), reflect.TypeOf(v).Elem().Name(), false)
	}
}

// fill puts a secret into every string, one element into every list.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(secret)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		if v.Type().Elem().Kind() != reflect.String {
			row := reflect.New(v.Type().Elem()).Elem()
			fill(row)
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.ValueOf(secret), row)
			return
		}
		v.Set(reflect.ValueOf(map[string]string{"password": "hunter2", "url": secret}))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}

// check goes through all that was shown; free: a field above it may be kept.
func check(t *testing.T, v reflect.Value, at string, free bool) {
	switch v.Kind() {
	case reflect.Pointer:
		check(t, v.Elem(), at, free)
	case reflect.Slice:
		check(t, v.Index(0), at, free)
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name := v.Type().Name() + "." + field.Name
			may := slices.Contains(kept, name)
			if says := field.Tag.Get("show") != ""; says != may {
				t.Errorf("%s: tagged to be kept %v, in the list of this test %v", name, says, may)
			}
			check(t, v.Field(i), name, free || may)
		}
	case reflect.Map:
		if v.Type().Elem().Kind() != reflect.String {
			for rows := v.MapRange(); rows.Next(); {
				check(t, rows.Value(), at, free)
			}
			return
		}
		fallthrough
	case reflect.String:
		if text := fmt.Sprint(v.Interface()); !free && (strings.Contains(text, "hunter2") || strings.Contains(text, "\x1b")) {
			t.Errorf("%s is shown as %q", at, text)
		}
	}
}
