package web

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"stream-api/store"
	"stream-api/stream"
)

// refuse answers {"error": text}.
func refuse(w http.ResponseWriter, code int, text string) {
	answer(w, code, struct {
		Error string `json:"error"`
	}{text})
}

func answer(w http.ResponseWriter, code int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		code, text = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(append(text, '\n')) // a client that went away is no error of ours
}

// failed answers with the store's error in words.
func failed(w http.ResponseWriter, err error) {
	code := http.StatusBadGateway // the store cannot be reached
	switch {
	case errors.Is(err, store.ErrNotFound):
		code = http.StatusNotFound
	case errors.Is(err, store.ErrStale), store.IsHold(err):
		code = http.StatusConflict
	}
	var move *store.MoveError
	var announced *store.AnnouncedError
	var places *store.PlacesError
	if errors.As(err, &move) || errors.As(err, &announced) || errors.As(err, &places) {
		code = http.StatusConflict
	}
	if errors.Is(err, errCrowded) {
		w.Header().Set("Retry-After", "10")
		code = http.StatusServiceUnavailable
	}
	var refusal *refusal
	if errors.As(err, &refusal) {
		code = refusal.code
	}
	refuse(w, code, stream.Shown(store.Explain(err)))
}

// refusal is an error of the caller.
type refusal struct {
	code int
	text string
}

func (r *refusal) Error() string { return r.text }

func badRequest(text string) error { return &refusal{code: http.StatusBadRequest, text: text} }

// decode reads the body strictly: one JSON object of known fields.
func decode(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return &refusal{code: http.StatusRequestEntityTooLarge, text: "the request is too large"}
		}
		return badRequest("the body is not what is asked for: " + err.Error())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badRequest("the body goes on after the JSON object")
	}
	return nil
}
