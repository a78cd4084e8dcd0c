// Command scripts measures what the scripts cost inside Redis: the time that the server
// itself counts for place, claim, release, heartbeat and a reap tick at 10 to
// 10,000 hosts, beside the least that a reservation could do (one ZRANGEBYSCORE,
// HMGET, HSET and ZADD on fixed keys) in the same run on the same server; the memory of
// a service, a stream and a slot; and the time that the program takes to print the
// status of ten thousand streams.
//
// It starts a redis-server of its own and prints markdown. Each figure is the
// best of several rounds, as whatever else the machine does can only add to it.
// All goroutines end with main.
package main
