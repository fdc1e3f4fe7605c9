import AsyncIO

/// A chat over plain TCP: each line is a message.
struct ChatServer: Sendable {
  let listener: StreamListener
  let room = Room()
  /// How long a guest may say nothing.
  var idleLimit = Duration.seconds(300)
  /// How long a guest may take for a line, and all guests for their last lines when the server stops.
  var patience = Duration.seconds(5)

  /// Serve until `stop` happens and the last guest has gone.
  func run(until stop: Event) async throws {
    do {
      try await withTimeout(nil) { limit in
        async let _: Void = close(after: stop, limit)
        try await listener.serve { try await chat($0) }
      }
    } catch is TimeoutError {
      print("some guests did not take their last lines in time")
    }
  }

  /// Let nobody in any more, and give those who are there until the limit.
  private func close(after stop: Event, _ limit: Timeout) async throws {
    try await stop.wait()
    listener.close()
    room.close()
    limit.reschedule(after: patience)
  }

  /// Serve one guest: send what the others say, while another task listens.
  private func chat(_ connection: StreamConnection) async throws {
    let member = room.enter(connection)
    async let _: Void = listen(to: member)
    do {
      for try await line in member.lines {
        try await withTimeout(patience) { try await connection.write(line + "\n") }
      }
    } catch is TimeoutError {
      connection.abort()
    }
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
