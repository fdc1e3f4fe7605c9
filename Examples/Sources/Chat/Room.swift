import AsyncIO
import Synchronization

/// A guest, and the lines on their way to it: a hundred at most, so that a guest who does not read costs little memory.
final class Member: Sendable {
  let name: String
  let connection: StreamConnection
  let lines = Queue<String>(maxSize: 100)

  init(name: String, connection: StreamConnection) {
    self.name = name
    self.connection = connection
  }
}

/// Who is in the chat. What one member says goes to all others.
final class Room: Sendable {
  private struct State {
    var members: [Member] = []
    var entered = 0
    var isClosed = false
  }
  private let state = Mutex(State())

  /// Let a guest in, and tell the others. If the room is closed, all that the guest hears is that.
  func enter(_ connection: StreamConnection) -> Member {
    let (member, isClosed) = state.withLock { state in
      state.entered += 1
      let member = Member(name: "guest \(state.entered)", connection: connection)
      if !state.isClosed { state.members.append(member) }
      return (member, state.isClosed)
    }
    if isClosed { sayGoodbye(to: member) } else { say("\(member.name) is here") }
    return member
  }

  /// Take a member out, and tell the others. It still gets the lines on their way to it.
  func leave(_ member: Member) {
    member.lines.shutDown()
    let wasHere = state.withLock { state in
      let count = state.members.count
      state.members.removeAll { $0 === member }
      return state.members.count < count
    }
    if wasHere { say("\(member.name) has gone") }
  }

  /// Send a line to everybody but its speaker. A guest who is a hundred lines behind is cut off.
  func say(_ line: String, by speaker: Member? = nil) {
    for member in state.withLock({ $0.members }) where member !== speaker {
      do { try member.lines.putNoWait(line) } catch {
        if error is QueueFullError { member.connection.abort() }
      }
    }
  }

  /// Say goodbye to everybody who is here or comes later.
  func close() {
    let members = state.withLock { state in
      state.isClosed = true
      defer { state.members = [] }
      return state.members
    }
    for member in members { sayGoodbye(to: member) }
  }

  private func sayGoodbye(to member: Member) {
    // A guest whose queue is full hears nothing more.
    try? member.lines.putNoWait("the chat is closing, goodbye")
    member.lines.shutDown()
  }
}
