internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// What a check asks of its process, or does to it.
enum Process {
  /// The length of the kernel's list of descriptors; nil if there is none to read.
  static var descriptorCount: Int? { entryCount("/proc/self/fd") }

  /// The length of the kernel's list of threads; nil if there is none to read.
  static var threadCount: Int? { entryCount("/proc/self/task") }

  private static func entryCount(_ path: String) -> Int? {
    guard let directory = opendir(path) else { return nil }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    return count
  }

  /// Processor time of the calling thread: a loop that spins uses it up, and one that waits does not.
  static var threadTime: Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
  }

  /// Block the calling thread.
  static func block(milliseconds: Int) { usleep(UInt32(milliseconds) * 1000) }

  /// Send a signal to this process.
  static func send(_ signal: Int32) { _ = kill(getpid(), signal) }

  /// Return the process's action on a signal: "default", "ignored", or "handler". Leaves it as it is.
  static func action(of signal: Int32) -> String {
    var current = sigaction()
    guard sigaction(signal, nil, &current) == 0 else { return "none" }
    #if canImport(Darwin)
      let handler = unsafeBitCast(current.__sigaction_u.__sa_handler, to: Int.self)
    #else
      let handler = unsafeBitCast(current.__sigaction_handler.sa_handler, to: Int.self)
    #endif
    return handler == 0 ? "default" : handler == 1 ? "ignored" : "handler"
  }

  /// The descriptor of a socket whose peer has a port on this machine.
  static func descriptor(connectedTo port: UInt16) -> Int32? {
    (0..<Int32(4096)).first { number in
      var address = sockaddr_in()
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let status = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(number, $0, &length) }
      }
      return status == 0 && address.sin_family == sa_family_t(AF_INET) && address.sin_port == port.bigEndian
    }
  }

  /// Return whether an epoll instance of this process has the descriptor in its table; false if there is none.
  static func isInEpoll(_ descriptor: Int32) -> Bool {
    (0..<Int32(4096)).contains { number in
      guard let file = fopen("/proc/self/fdinfo/\(number)", "r") else { return false }
      defer { fclose(file) }
      var line = [CChar](repeating: 0, count: 256)
      while fgets(&line, 256, file) != nil {
        // "tfd:        5 events:       19 data: … "
        let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        let fields = text.split { $0 == " " || $0 == ":" }
        if fields.first == "tfd", fields.count > 1, fields[1] == "\(descriptor)" { return true }
      }
      return false
    }
  }

  /// Fork. The child runs the body, tells the parent the text, and ends; it has only the calling thread, so this is for
  /// processes that have no other important thread. Returns the text; nil if the child died.
  static func inFork(_ body: () throws -> String) throws -> String? {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw Errno(rawValue: errno) }
    let child = fork()
    guard child != 0 else {
      var text = ""
      do { text = try body() } catch { text = "threw \(error)" }
      text.withUTF8 { _ = write(ends[1], $0.baseAddress, $0.count) }
      _exit(0)
    }
    close(ends[1])
    defer { close(ends[0]) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = read(ends[0], &buffer, buffer.count)
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    return status == 0 ? String(decoding: buffer.prefix(max(0, count)), as: UTF8.self) : nil
  }

  /// Swift hides fork(): after it only the calling thread is left.
  private static func fork() -> pid_t {
    typealias Fork = @convention(c) () -> pid_t
    return unsafeBitCast(dlsym(nil, "fork"), to: Fork.self)()
  }
}
