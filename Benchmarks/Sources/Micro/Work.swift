import AsyncIO

/// What can be measured. The names are those of the programs of the peers, where a peer has the work.
enum Work: String, CaseIterable {
  case chain, batch
  case chainTaskLocals = "chain_tasklocals"
  case pingpong, burst1, burst4
  case pingpongSame = "pingpong_same"
  case timerCancel = "timer_cancel"
  case timerFire = "timer_fire"
  case timerRearm = "timer_rearm"
  case timerCancelToken = "timer_cancel_token"
  case timerFireToken = "timer_fire_token"
  case timerRearmToken = "timer_rearm_token"
  case post1 = "burst1_post"
  case post4 = "burst4_post"
  case spawn, suspend, yield, actor, continuation, sleep
  case spawnOnLoop = "spawn_on_loop"
  case actorPinned = "actor_pinned"
  case process, literal
  case udp
  case udpSame = "udp_same"
  case udpProtocol = "udp_protocol"
  case udpProtocolSame = "udp_protocol_same"

  /// True for a work that serves a client.
  var needsPort: Bool {
    switch self {
    case .udp, .udpSame, .udpProtocol, .udpProtocolSame: true
    default: false
    }
  }

  func run(on bench: Bench) throws {
    switch self {
    case .chain: try chainCallbacks(bench)
    case .chainTaskLocals: try chainCallbacks(bench, context: .taskLocals)
    case .batch: try batchCallbacks(bench)
    case .pingpong: try exchangeWakes(bench, sameCore: false)
    case .pingpongSame: try exchangeWakes(bench, sameCore: true)
    case .burst1: try postBursts(bench, producers: 1, withHandles: true)
    case .burst4: try postBursts(bench, producers: 4, withHandles: true)
    case .post1: try postBursts(bench, producers: 1, withHandles: false)
    case .post4: try postBursts(bench, producers: 4, withHandles: false)
    case .timerCancel: try cancelTimers(bench, byToken: false)
    case .timerFire: try fireTimers(bench, byToken: false)
    case .timerRearm: try rearmTimers(bench, byToken: false)
    case .timerCancelToken: try cancelTimers(bench, byToken: true)
    case .timerFireToken: try fireTimers(bench, byToken: true)
    case .timerRearmToken: try rearmTimers(bench, byToken: true)
    case .spawn: try spawnTasks(bench)
    case .spawnOnLoop: try createTasks(bench)
    case .suspend: try suspendOften(bench)
    case .yield: try yieldOften(bench)
    case .actor: try callActor(bench)
    case .actorPinned: try callPinnedActor(bench)
    case .continuation: try resumeContinuation(bench)
    case .sleep: try sleepZero(bench)
    case .process: try startProcesses(bench)
    case .literal: try lookUpLiteral(bench)
    // The core of the client makes the difference.
    case .udp, .udpSame: try serveDatagrams(bench)
    case .udpProtocol, .udpProtocolSame: try serveDatagramProtocol(bench)
    }
  }
}
