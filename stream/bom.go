package stream

// ByteOrderMark is what some editors and servers put before a text. It is no
// part of it, whether that is a configuration, a secret, an environment file
// or an ingest's answer.
const ByteOrderMark = "\ufeff"
