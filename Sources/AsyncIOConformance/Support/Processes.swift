internal import CAsyncIO
internal import CConformance
internal import SystemPackage

/// What a check asks of its process, or does to it.
enum Process {
  /// What a process does on a signal. The raw values are C's.
  enum Action: Int32 {
    case `default`
    case ignored
    case handler
  }

  /// The length of the kernel's list of descriptors; nil if there is none to read.
  static var descriptorCount: Int? { counted(cconformance_list_descriptors(nil, nil)) }

  /// The length of the kernel's list of threads; nil if there is none to read.
  static var threadCount: Int? { counted(cconformance_thread_count()) }

  private static func counted(_ count: Int32) -> Int? { count < 0 ? nil : Int(count) }

  /// What the system says that each open descriptor is; empty if it does not list them.
  static var descriptors: [Int32: String] {
    var descriptors: [Int32: String] = [:]
    withUnsafeMutablePointer(to: &descriptors) { descriptors in
      _ = cconformance_list_descriptors(
        { descriptors, number, target in
          descriptors!.assumingMemoryBound(to: [Int32: String].self).pointee[number] = String(cString: target)
        }, descriptors)
    }
    return descriptors
  }

  /// Processor time of the calling thread: a loop that spins uses it up, and one that waits does not.
  static var threadTime: Duration { .nanoseconds(casyncio_processor_nanoseconds()) }

  /// Whether the system has one of `CCONFORMANCE_`.
  static func has(_ feature: Int) -> Bool { cconformance_features() & UInt32(feature) != 0 }

  /// Whether a new file gets the lowest number that is free, and can have more than one.
  static var hasLowestNumbers: Bool { has(CCONFORMANCE_LOWEST_NUMBERS) }

  /// Whether the system connects two sockets without an address; else a pair is a TCP connection.
  static var hasSocketPairs: Bool { has(CCONFORMANCE_SOCKET_PAIRS) }

  /// Whether a datagram to a port without a socket comes back as an error.
  static var hearsOfUnreachablePorts: Bool { has(CCONFORMANCE_UNREACHABLE) }

  /// Whether sockets can share a port, by an option that both have.
  static var sharesPorts: Bool { has(CCONFORMANCE_SHARED_PORTS) }

  /// Whether Unix sockets can have names that are not files.
  static var hasAbstractNames: Bool { has(CCONFORMANCE_ABSTRACT_NAMES) }

  /// Block the calling thread.
  static func block(milliseconds: Int) { cconformance_sleep(Int32(milliseconds)) }

  /// Send a signal to this process.
  static func send(_ signal: Int32) { _ = cconformance_send_signal(signal) }

  /// Return the process's action on a signal: "default", "ignored", or "handler". Leaves it as it is.
  static func action(of signal: Int32) -> String {
    Action(rawValue: cconformance_signal_action(signal)).map { "\($0)" } ?? "none"
  }

  /// Set the process's action on a signal to the default one, or ignore the signal. Returns the former action.
  @discardableResult
  static func setAction(of signal: Int32, _ action: Action) -> Action? {
    Action(rawValue: cconformance_set_signal_action(signal, action.rawValue))
  }

  /// The descriptor of a socket whose peer has a port on this machine.
  static func descriptor(connectedTo port: UInt16) -> Int32? {
    (0..<Int32(4096)).first { cconformance_peer_port($0) == Int32(port) }
  }

  /// Return whether an epoll instance of this process has the descriptor in its table; false if there is none.
  static func isInEpoll(_ descriptor: Int32) -> Bool { cconformance_is_in_epoll(descriptor) != 0 }

  /// Fork. The child runs the body, tells the parent the text, and ends; it has only the calling thread, so this is for
  /// processes that have no other important thread. Returns the text; nil if the child died.
  static func inFork(_ body: () throws -> String) throws -> String? {
    var text = [CChar](repeating: 0, count: 4096)
    let count = withoutActuallyEscaping(body) { body in
      withUnsafePointer(to: ForkedChild(body: body)) { child in
        cconformance_in_fork(
          { child, text, capacity in
            child!.assumingMemoryBound(to: ForkedChild.self).pointee.write(to: text, capacity)
          }, UnsafeMutableRawPointer(mutating: child), &text, text.count)
      }
    }
    guard count != -Int(ECHILD) else { return nil }
    guard count >= 0 else { throw Errno(rawValue: Int32(-count)) }
    return String(decoding: text.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

/// A fork of which both sides go on, for processes that have no other important thread.
final class OpenFork: Sendable {
  private let number = Box<Int64?>(nil)

  /// True in the child, which has to call ``endChild(_:)``.
  var isChild: Bool { number.value == 0 }

  /// Fork. Returns `true` in the parent.
  func fork() throws -> Bool {
    let child = cconformance_fork()
    guard child >= 0 else { throw Errno(rawValue: Int32(-child)) }
    number.value = child
    return child > 0
  }

  /// Wait for the child's end in the parent. Returns its status, or the negated signal that has ended it.
  func waitForChild() -> Int { Int(cconformance_wait_for_child(number.value!)) }

  /// Do the last thing in the child and end it, with status 0 if that throws nothing.
  func endChild(_ last: () throws -> Void) {
    do {
      try last()
      cconformance_end_child(0)
    } catch {
      cconformance_end_child(1)
    }
  }
}

/// What the child of a fork does.
private struct ForkedChild {
  let body: () throws -> String

  /// Write what the body returns, or what it threw. Returns how many bytes.
  func write(to text: UnsafeMutablePointer<CChar>, _ capacity: Int) -> Int {
    var answer: String
    do { answer = try body() } catch { answer = "threw \(error)" }
    return answer.withUTF8 { bytes in
      let count = min(bytes.count, capacity)
      if let base = bytes.baseAddress { UnsafeMutableRawPointer(text).copyMemory(from: base, byteCount: count) }
      return count
    }
  }
}
