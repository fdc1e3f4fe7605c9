/// How far a channel is, and what a step means for its handlers. NIO's handlers rely on the order: registered, active,
/// inactive, unregistered, each once; a channel that is closed while it becomes active was never active for them.
struct ChannelLife {
  private enum State { case fresh, registered, activating, active, closed }
  private var state = State.fresh

  /// What is told when a channel is closed, in this order.
  struct End {
    var tellsInactive = false
    var tellsUnregistered = false
  }

  var isOpen: Bool { state != .closed }
  var isRegistered: Bool { state != .fresh && state != .closed }
  var isActive: Bool { state == .activating || state == .active }

  /// Register. Returns `false` if it is registered or closed already.
  mutating func register() -> Bool {
    guard state == .fresh else { return false }
    state = .registered
    return true
  }

  /// Begin to be active; the caller succeeds its promise then, which may close the channel. Returns `false` if the
  /// channel is not registered, is active already, or is closed.
  mutating func activate() -> Bool {
    guard state == .registered else { return false }
    state = .activating
    return true
  }

  /// Go on after that. Returns `true` if the handlers are to be told.
  mutating func finishActivating() -> Bool {
    guard state == .activating else { return false }
    state = .active
    return true
  }

  /// Close. Returns nil if it is closed already.
  mutating func close() -> End? {
    defer { state = .closed }
    switch state {
    case .closed: return nil
    case .fresh: return End()
    case .registered, .activating: return End(tellsUnregistered: true)
    case .active: return End(tellsInactive: true, tellsUnregistered: true)
    }
  }
}
