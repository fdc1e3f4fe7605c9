import CAsyncIO
import SystemPackage
import Testing

@testable import AsyncIO

/// Two connected stream sockets that do not block. Closes what is left when it goes away.
final class SocketPair: @unchecked Sendable {
  // Right because a test closes an end in one place only.
  let a: Int32
  let b: Int32
  private var open: Set<Int32>

  init() throws {
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
      throw Errno(rawValue: casyncio_errno())
    }
    a = ends[0]
    b = ends[1]
    open = [a, b]
    for end in ends {
      casyncio_set_nonblocking(end)
      casyncio_set_close_on_exec(end)
    }
  }

  deinit { for end in open { _ = CAsyncIO.close(end) } }

  func close(_ end: Int32) {
    open.remove(end)
    _ = CAsyncIO.close(end)
  }

  func write(_ count: Int, to end: Int32) {
    let bytes = [UInt8](repeating: 7, count: count)
    #expect(CAsyncIO.write(end, bytes, count) == count)
  }

  /// Reads what is there; the number of bytes, or -1.
  @discardableResult
  func read(_ count: Int = 4096, from end: Int32) -> Int {
    var bytes = [UInt8](repeating: 0, count: count)
    return CAsyncIO.read(end, &bytes, count)
  }
}

/// Expects that the call is refused with this code.
func expectRefusal<R>(
  _ code: EventLoopError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> R
) {
  do {
    _ = try body()
    Issue.record("expected a refusal with code \(code)", sourceLocation: sourceLocation)
  } catch {
    #expect((error as? EventLoopError)?.code == code, "\(error)", sourceLocation: sourceLocation)
  }
}
