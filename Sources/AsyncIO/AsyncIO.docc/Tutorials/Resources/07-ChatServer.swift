import AsyncIO

/// A chat over plain TCP: each line is a message.
struct ChatServer: Sendable {
  let listener: StreamListener
  let room = Room()
  /// How long a guest may say nothing.
  var idleLimit = Duration.seconds(300)

  /// Serve until the task is cancelled.
  func run() async throws {
    try await listener.serve { try await chat($0) }
  }

  /// Serve one guest: send what the others say, while another task listens.
  private func chat(_ connection: StreamConnection) async throws {
    let member = room.enter(connection)
    async let _: Void = listen(to: member)
    for try await line in member.lines { try await connection.write(line + "\n") }
  }

  /// Pass on what a guest says, until the guest ends it, says nothing for too long, or is cut off.
  private func listen(to member: Member) async throws {
    defer { room.leave(member) }
    do {
      try await withTimeout(idleLimit) { limit in
        for try await line in member.connection.lines(limit: 1000) {
          limit.reschedule(after: idleLimit)
          room.say("\(member.name): \(line)", by: member)
        }
      }
    } catch is TimeoutError {
      try member.lines.putNoWait("you have said nothing for too long, goodbye")
    }
  }
}
