internal import CAsyncIO

// A child shares what it inherits, including the file's mode. A program that meets a non-blocking standard stream
// without having asked for it fails in the middle of its work ("Resource temporarily unavailable"). So:
//
// - A pipe or a terminal that this process made non-blocking is opened once more for the child, as a file of its own.
// - A socket cannot be opened again, and needs no mode here, where every call says that it does not wait. It is made
//   blocking. A socket that listens is not: there is no such call for accepting, and servers expect either mode.
// - What can be neither is passed on as it is, and the log says so.

/// The descriptors of one start: the child's 0, 1 and 2, and this side of its pipes.
struct SpawnFiles: ~Copyable {
  /// The child's descriptors; some are opened here, some are the caller's.
  var child: [Int32] = [-1, -1, -1]
  /// This side of the pipes, non-blocking; -1 where there is none.
  var parent: [Int32] = [-1, -1, -1]
  /// The child's descriptors that stay non-blocking, because there is no way to change that.
  private(set) var nonBlocking: [Int32] = []
  /// The descriptors opened here for the child.
  private var opened: [Int32] = []

  /// Open the descriptors. If this throws, some of them may be open.
  mutating func open(_ request: SpawnRequest) throws(IOError) {
    switch request.input {
    case .pipe: try openPipe(0)
    case .inherit: child[0] = blocking(0)
    case .null: try openNull(0)
    case .descriptor(let number): child[0] = blocking(given: number)
    }
    switch request.output {
    case .pipe: try openPipe(1)
    case .inherit: child[1] = blocking(1)
    case .null: try openNull(1)
    case .descriptor(let number): child[1] = blocking(given: number)
    }
    switch request.error {
    case .pipe: try openPipe(2)
    case .inherit: child[2] = blocking(2)
    case .null: try openNull(2)
    case .descriptor(let number): child[2] = blocking(given: number)
    case .output: child[2] = child[1]
    }
  }

  /// Open a pipe. The child's end blocks, as programs expect; this end does not.
  private mutating func openPipe(_ target: Int) throws(IOError) {
    var ends: (read: Int32, write: Int32) = (-1, -1)
    let here = target == 0 ? CASYNCIO_PIPE_WRITE_HERE : CASYNCIO_PIPE_READ_HERE
    let status = casyncio_pipe(UInt32(here), &ends.read, &ends.write)
    guard status == 0 else { throw IOError(result: Int(status), "spawn", "make a pipe") }
    let (mine, its) = target == 0 ? (ends.write, ends.read) : (ends.read, ends.write)
    parent[target] = mine
    child[target] = its
    opened.append(its)
    _ = casyncio_set_nonblocking(mine)
  }

  /// Return a blocking descriptor of the same file, if this process made it non-blocking.
  private mutating func blocking(_ number: Int32) -> Int32 {
    guard BlockingMode.isOwed(by: number) else { return number }
    let own = casyncio_reopen_blocking(number)
    guard own >= 0 else {
      nonBlocking.append(number)
      return number
    }
    opened.append(own)
    return own
  }

  /// Do the same for a descriptor that the caller names, which may be a socket of this loop.
  private mutating func blocking(given number: Int32) -> Int32 {
    guard let isListening = try? SocketOption.isListening.get(number, SystemSockets.shared) else {
      return blocking(number)
    }
    if !isListening { _ = casyncio_set_blocking(number) }
    return number
  }

  private mutating func openNull(_ target: Int) throws(IOError) {
    let null = casyncio_open_null()
    guard null >= 0 else { throw IOError(result: Int(null), "spawn", "open the null device") }
    child[target] = null
    opened.append(null)
  }

  /// Close the child's side: the child has its own copies.
  mutating func closeChildSide() {
    for descriptor in opened { closeNumber(descriptor) }
    opened = []
  }

  mutating func closeAll() {
    closeChildSide()
    for descriptor in parent { closeNumber(descriptor) }
    parent = [-1, -1, -1]
  }
}

/// Strings in C's form, in memory of their own, with a null after the last. Right as it is for one thread.
final class CStrings {
  let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int

  init(_ strings: [String]) {
    count = strings.count
    pointers = .allocate(capacity: count + 1)
    for (index, string) in strings.enumerated() { (pointers + index).initialize(to: strdup(string)) }
    (pointers + count).initialize(to: nil)
  }

  deinit {
    for index in 0..<count { free(pointers[index]) }
    pointers.deallocate()
  }

  /// The same for calls that promise not to change them.
  var constants: UnsafePointer<UnsafePointer<CChar>?> {
    // Right because both are one word, and constness does not change the layout.
    UnsafeRawPointer(pointers).assumingMemoryBound(to: UnsafePointer<CChar>?.self)
  }
}
