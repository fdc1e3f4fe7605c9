// The load generator for TCP servers that echo. One thread; the caller gives it a core of its own.
//
//   load_tcp echo  port=P connections=C size=S seconds=T   closed loop; depth=D messages on their way on each
//   load_tcp echo  port=P ... messages=N                   that many messages on each connection, all of them counted
//   load_tcp open  port=P ... rate=R                       open loop, R messages a second over all connections
//   load_tcp churn port=P connections=C size=S             connect, exchange, reset
//   load_tcp idle  port=P connections=K active=A           K connections that echoed once, then A of them echo
//
// With pid=N, the server's process, it measures the server's CPU time and memory. It prints one line of JSON: ops,
// wall_ns, cpu_ns, percentiles of latency; {"error": ...} and status 1 if anything is wrong, even if a byte that comes
// back differs. The first fifth of a slice is not counted.
#include "tcp/modes.h"

int main(int count, char **arguments) {
  const struct mode modes[] = {{"echo", run_echo}, {"open", run_open}, {"churn", run_churn}, {"idle", run_idle}, {0}};
  return run_program(count, arguments, modes);
}
