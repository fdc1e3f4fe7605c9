/// The caller's closure, lent to the task that runs it. Right because the caller is suspended until that task has
/// ended: the two never run at the same time. So `currentTask()` inside is the caller's.
final class LentBody<Value: Sendable>: @unchecked Sendable {
  private var body: (() async throws -> Value)?
  private let owner = LoopTaskRegistry.shared.current
  /// A served connection, whose waits and steps are to have a name as well.
  private let other = Observation.keepsOrigins ? LoopTaskRegistry.shared.currentOther : nil

  init(_ body: @escaping () async throws -> Value) { self.body = body }

  func run() async throws -> Value {
    if let owner { LoopTaskRegistry.shared.enter(owner) }
    if let other { LoopTaskRegistry.shared.enterOther(other) }
    defer {
      if owner != nil { LoopTaskRegistry.shared.leave() }
      if other != nil { LoopTaskRegistry.shared.leaveOther() }
    }
    return try await body!()
  }

  func takeBack() { body = nil }
}
