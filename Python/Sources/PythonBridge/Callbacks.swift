// The names are the seam's, which is C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

@_spi(Embedding) import AsyncIO
import CSeam

// Callbacks, timers and watches.

/// A Python handle in the care of a closure of Swift's, which lets it go with its captures.
///
/// Unchecked because it is used with the GIL, but for its end, which takes it.
final class KeptHandle: @unchecked Sendable {
  let handle: UnsafeMutableRawPointer
  private let isWatch: Bool

  init(_ handle: UnsafeMutableRawPointer, isWatch: Bool = false) { (self.handle, self.isWatch) = (handle, isWatch) }
  deinit { if isWatch { aiopy_end_watch(handle) } else { aiopy_drop(handle) } }

  func run() throws {
    if !aiopy_run_kept(handle) { throw PythonInterrupt() }
  }
}

@c @implementation
public func aioswift_call_soon(_ loop: UnsafeMutableRawPointer?, _ handle: UnsafeMutableRawPointer?) -> Int32 {
  Unmanaged<LoopBox>.fromOpaque(loop!)._withUnsafeGuaranteedRef { box in
    do throws(EventLoopError) {
      try box.loop.callSoon(embedded: handle!)
      return 0
    } catch {
      return raise(error)
    }
  }
}

@c @implementation
public func aioswift_call_at(
  _ loop: UnsafeMutableRawPointer?, _ handle: UnsafeMutableRawPointer?, _ when: Double
) -> UnsafeMutableRawPointer? {
  let kept = KeptHandle(handle!)
  do {
    let timer = try LoopBox.of(loop!).loop.callAt(instant(when)) { try kept.run() }
    return Unmanaged.passRetained(timer).toOpaque()
  } catch {
    _ = raise(error)
    return nil
  }
}

/// The instant of a number of seconds on the loop's clock. Rounded up: a timer is never early.
private func instant(_ seconds: Double) -> EventLoopInstant {
  let nanoseconds = (seconds * 1e9).rounded(.up)
  if nanoseconds >= 9.2e18 { return EventLoopInstant(nanoseconds: .max) }
  if nanoseconds <= -9.2e18 { return EventLoopInstant(nanoseconds: .min) }
  return EventLoopInstant(nanoseconds: Int64(nanoseconds))
}

@c @implementation
public func aioswift_timer_cancel(_ timer: UnsafeMutableRawPointer?) {
  Unmanaged<TimerHandle>.fromOpaque(timer!).takeUnretainedValue().cancel()
}

@c @implementation
public func aioswift_timer_release(_ timer: UnsafeMutableRawPointer?) {
  Unmanaged<TimerHandle>.fromOpaque(timer!).release()
}

@c @implementation
public func aioswift_watch(
  _ loop: UnsafeMutableRawPointer?, _ fd: Int32, _ writer: Bool, _ handle: UnsafeMutableRawPointer?
) -> Int32 {
  let kept = KeptHandle(handle!, isWatch: true)
  let loop = LoopBox.of(loop!).loop
  return attempt {
    if writer { try loop.addWriter(fd) { try kept.run() } } else { try loop.addReader(fd) { try kept.run() } }
  }
}

@c @implementation
public func aioswift_is_taken(_ loop: UnsafeMutableRawPointer?, _ fd: Int32) -> Bool {
  LoopBox.of(loop!).loop.ownsDescriptor(fd)
}

@c @implementation
public func aioswift_unwatch(_ loop: UnsafeMutableRawPointer?, _ fd: Int32, _ writer: Bool) -> Int32 {
  let loop = LoopBox.of(loop!).loop
  do {
    return try (writer ? loop.removeWriter(fd) : loop.removeReader(fd)) ? 1 : 0
  } catch {
    return raise(error)
  }
}
