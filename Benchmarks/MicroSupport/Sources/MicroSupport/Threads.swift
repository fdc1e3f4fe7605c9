// Threads that stand for the rest of a program, and the cores that they and the loop run on.

import CMicroSupport

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

public enum Core {
  /// Where the loop runs.
  public static let loop: Int32 = 0
  /// Where everybody runs who talks to it.
  public static let other: Int32 = 1

  /// Keep the calling thread there. Threads that it makes later also begin there.
  public static func pin(to core: Int32) { csupport_pin(core) }
}

/// Threads of the program's own, joined by hand.
public struct Threads {
  private final class Body {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
  }

  private var threads: [pthread_t] = []

  public init() {}

  public mutating func start(on core: Int32, _ body: @escaping @Sendable () -> Void) {
    let body = Body {
      Core.pin(to: core)
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

  public func join() {
    for thread in threads { pthread_join(thread, nil) }
  }
}

/// An eventfd that one thread writes and one blocks on.
public struct Bell: Sendable {
  private let fileDescriptor = csupport_bell()

  public init() {}
  public func ring() { csupport_bell_ring(fileDescriptor) }
  public func wait() { csupport_bell_wait(fileDescriptor) }
}
