// Package web is what people see and touch: the live status page, the HTTP
// API, asynqmon behind the same gate, metrics, and the hooks by which an
// ingest says "look now".
//
// # One picture for all
//
// The board keeps one picture of the store, masked and encoded. While
// somebody watches, it reads what the feed of events says has changed, at
// most every 250 ms, sweeps over the rest in ten seconds, compares each
// stream's encoded form with the one before, and hands the same bytes to
// every watcher. While nobody watches it reads nothing; a status or a scrape
// that comes then reads once. A watcher that does not keep up is cut off and
// gets the whole picture when it comes back.
//
// # Who may
//
// Without a token the server listens on loopback only; New refuses anything
// wider. With a token every request carries it (Authorization: Bearer, or the
// cookie that the login form gives), but for the liveness endpoints and the
// hooks, which can do no harm. The Host header must name this server, so that
// a stranger's name that resolves here (DNS rebinding) reads nothing; whatever
// changes something must come from the same origin or from no browser.
//
// Text of strangers (stream keys, variables, lines of logs) leaves this
// package as JSON without control characters, and the page sets it as text,
// never as markup. Passwords in it are masked before it is kept.
//
// # Goroutines
//
// Serve starts one that follows the events, one that refreshes the board and
// those of net/http; all end before it returns. The feed's is in a blocking
// read of up to half a second.
package web
