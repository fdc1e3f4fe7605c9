import AsyncIO

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
