internal import CAsyncIO
internal import Synchronization

/// A value behind a mutex: the standard library's, made visible to the thread sanitizer.
///
/// The slow path of `Mutex` is in a library that is not instrumented, so under contention the sanitizer misses that one
/// thread took the lock after another, and reports races that do not exist. Telling it costs a test of a null pointer
/// if no sanitizer is linked.
package struct Lock<Value: ~Copyable>: ~Copyable {
  private let mutex: Mutex<Value>

  package init(_ value: consuming sending Value) { mutex = Mutex(value) }

  /// Run the body with the value; other threads wait. Must not be nested, and must not call or resume anything inside.
  @inline(__always)
  package borrowing func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout sending Value) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result {
    // The lock's own address: it does not move, and asking for the value's would be an access before it is announced.
    let address = withUnsafePointer(to: self) { UnsafeMutableRawPointer(mutating: $0) }
    return try mutex.withLock { (value: inout sending Value) throws(Failure) -> sending Result in
      casyncio_lock_taken(address)
      defer { casyncio_lock_leaving(address) }
      return try body(&value)
    }
  }
}
