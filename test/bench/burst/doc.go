// Command burst measures how fast a burst of streams gets its hosts: from the poll that
// announces all of them to the last claim, with the real scheduler, a real
// redis-server of its own and simulated hosts that claim through the store what
// they are told to start. Every start is enqueued for asynq as in production;
// the hosts are told directly, so that what is measured is the scheduler and
// the store, and not asynq's interval of polling.
//
// It prints one line of JSON. All goroutines end with main.
package main
