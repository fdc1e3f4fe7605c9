#if Metrics
  internal import AsyncIO
  internal import Metrics

  // The names. They follow what Prometheus asks for, because most backends of swift-metrics hand labels on as they are:
  // lower case with underscores, a prefix for the library, the unit in the plural at the end, `_total` for what only
  // grows. Every meter has the dimension `loop`, except for those of the process.

  /// The meters of one loop.
  final class LoopMeters: Sendable {
    let turns: Counter
    let turnDuration: Metrics.Timer
    let lag: Metrics.Timer
    let entries: Counter
    let ready: Gauge
    let timers: Gauge
    let tasks: Gauge
    let connections: Gauge
    let accepts: Counter
    let acceptFailures: Counter
    let acceptPauses: Counter
    let pausedListeners: Gauge
    let received: Counter
    let sent: Counter
    let poolQueue: Gauge
    let poolThreads: Gauge
    let poolIdleThreads: Gauge
    let descriptors: Gauge
    let children: Gauge

    init(_ loop: String, _ factory: any MetricsFactory) {
      let own = [("loop", loop)]
      func counter(_ label: String) -> Counter { Counter(label: label, dimensions: own, factory: factory) }
      func gauge(_ label: String, _ dimensions: [(String, String)]? = nil) -> Gauge {
        Gauge(label: label, dimensions: dimensions ?? own, factory: factory)
      }
      func timer(_ label: String) -> Metrics.Timer { Metrics.Timer(label: label, dimensions: own, factory: factory) }
      turns = counter("asyncio_loop_turns_total")
      turnDuration = timer("asyncio_loop_turn_duration_seconds")
      lag = timer("asyncio_loop_lag_seconds")
      entries = counter("asyncio_loop_entries_total")
      ready = gauge("asyncio_loop_ready_entries")
      timers = gauge("asyncio_loop_timers")
      tasks = gauge("asyncio_loop_tasks")
      connections = gauge("asyncio_server_connections")
      accepts = counter("asyncio_server_accepts_total")
      acceptFailures = counter("asyncio_server_accept_failures_total")
      acceptPauses = counter("asyncio_server_accept_pauses_total")
      pausedListeners = gauge("asyncio_server_paused_listeners")
      received = counter("asyncio_network_received_bytes_total")
      sent = counter("asyncio_network_sent_bytes_total")
      poolQueue = gauge("asyncio_pool_queue_entries")
      poolThreads = gauge("asyncio_pool_threads")
      poolIdleThreads = gauge("asyncio_pool_idle_threads")
      descriptors = gauge("asyncio_process_descriptors", [])
      children = gauge("asyncio_process_children", [])
    }

    /// Give the meters of the loop back. Those of the process may be another loop's as well.
    func destroy() {
      for counter in [turns, entries, accepts, acceptFailures, acceptPauses, received, sent] { counter.destroy() }
      for timer in [turnDuration, lag] { timer.destroy() }
      for gauge in [ready, timers, tasks, connections, pausedListeners, poolQueue, poolThreads, poolIdleThreads] {
        gauge.destroy()
      }
    }
  }
#endif
