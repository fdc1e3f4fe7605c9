// Threads that stand for the rest of a program, and the cores that they and the loop run on.

import CMicro

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

enum Machine {
  /// Where the loop runs.
  static let loopCore: Int32 = 0
  /// Where everybody runs who talks to it.
  static let otherCore: Int32 = 1
}

/// Threads of the program's own, joined by hand.
struct Threads: ~Copyable {
  private final class Body {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
  }

  private var threads: [pthread_t] = []

  mutating func start(on core: Int32, _ body: @escaping @Sendable () -> Void) {
    let body = Body {
      cmicro_pin(core)
      body()
    }
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, Unmanaged.passRetained(body).toOpaque())
    precondition(status == 0, "no thread to measure with: \(String(cString: strerror(status)))")
    threads.append(thread)
  }

  consuming func join() {
    for thread in threads { pthread_join(thread, nil) }
  }
}

/// An eventfd that one thread writes and one blocks on.
struct Bell: Sendable {
  private let fileDescriptor = cmicro_bell()

  func ring() { cmicro_bell_ring(fileDescriptor) }
  func wait() { cmicro_bell_wait(fileDescriptor) }
}
