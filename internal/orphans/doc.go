// Package orphans collects dead children that this process never started, or forgot: as PID 1 of a container it is given
// everyone whose parent has died, and after an exec it has children that only the program before knew.
//
// A child has one who waits for it, and whoever waits first takes its exit code away from the other. So what this process
// starts is started and waited for by this package, and Reap, which waits for the rest, leaves those alone. A start that was
// begun keeps Reap from looking, and never the other way round: Reap looks again later.
package orphans
