internal import CAsyncIO
public import Logging

// What another language's runtime needs of a loop that it runs its own callbacks on. The face is
// `@_spi(Embedding)`: it may change with any version, and only a package that pins this one should use it.
//
// - A runtime already has an object for each callback, and counts its references. A Swift handle with a closure would
//   be two more allocations for each call, so the queue takes the object's address as it is.
// - A runtime with a lock that one thread holds has to give it up while the loop waits, and only then: what the wait
//   brings is delivered to its code.

/// The callbacks of another runtime, as a loop runs them.
@_spi(Embedding)
public struct EmbeddedCallbacks: Sendable {
  /// Run a callback, and give its reference back. Returns `false` if it failed in a way that ends the run.
  let run: @convention(c) (UnsafeMutableRawPointer) -> Bool
  /// Give the reference of a callback back that will not run.
  let drop: @convention(c) (UnsafeMutableRawPointer) -> Void
  /// Take the error that ends the run, in the loop's thread.
  let interrupt: @Sendable () -> any InterruptError

  /// Describe the callbacks. What they get is the address of a callback, at a multiple of 16.
  public init(
    run: @escaping @convention(c) (UnsafeMutableRawPointer) -> Bool,
    drop: @escaping @convention(c) (UnsafeMutableRawPointer) -> Void,
    interrupt: @escaping @Sendable () -> any InterruptError
  ) {
    (self.run, self.drop, self.interrupt) = (run, drop, interrupt)
  }
}

@_spi(Embedding)
extension BaseEventLoop {
  /// Set how embedded callbacks run. Once, before the first of them is queued. Throws code `invalidState` the second
  /// time.
  public final func embed(_ callbacks: EmbeddedCallbacks) throws(EventLoopError) {
    guard embedded == nil else {
      throw EventLoopError(.invalidState, "embed: the loop runs a runtime's callbacks already. Make another loop.")
    }
    embedded = callbacks
  }

  /// Call around waits; nil: not at all. While the loop does not run. Throws code `notOffered` for a loop whose waits
  /// take no time.
  public final func setWaitHook(_ hook: WaitHook?) throws(EventLoopError) {
    assertLoopThread()
    guard backend.setWaitHook(hook) else {
      throw EventLoopError(.notOffered, "setWaitHook: \(backend.name) has no waits. Use another loop.")
    }
  }

  /// Queue an embedded callback, whose address is a multiple of 16, with one reference. The loop gives the reference
  /// back when the callback has run, or when the loop is closed first. Any thread. Throws code `closed`, and then the
  /// reference stays the caller's.
  public final func callSoon(embedded callback: UnsafeMutableRawPointer) throws(EventLoopError) {
    assert(embedded != nil, "embed() comes first")
    assert(UInt(bitPattern: callback) & 15 == 0, "an address that has no room for a tag")
    let word = LoopWord(bits: UInt(bitPattern: callback) | LoopWord.Tag.embedded.rawValue)
    if isRunningInThisThread {
      ready.push(word)
    } else if !intake.post(word) {
      throw .closed("callSoon")
    }
  }

  /// Look at the embedded callbacks that wait, until the body returns `false`; then this returns it as well. For a
  /// runtime that collects cycles of its objects: the queue has one reference to each. None are shown of a loop that
  /// runs.
  public final func lookAtEmbedded(_ body: (UnsafeMutableRawPointer) -> Bool) -> Bool {
    guard !isRunning, !isClosed else { return true }
    func look(_ bits: UInt) -> Bool {
      let word = LoopWord(bits: bits)
      return word.rawTag != LoopWord.Tag.embedded.rawValue || body(word.pointer)
    }
    return ready.look(look) && intake.inbox.look(look)
  }

  /// Do what was posted meanwhile, as closing descriptors, if the loop does not run: a runtime with one thread at a
  /// time need not wait for the next run. In the thread that uses the loop.
  public final func settlePosts() {
    if !isRunning && !isClosed && intake.inbox.hasPosts { emptyInbox() }
  }

  /// Takes what the loop reports. Set it before the loop is used.
  public final var reportLogger: Logger {
    get { logger }
    set { logger = newValue }
  }
}

extension BaseEventLoop {
  /// Run in asyncio's order: in one turn, what was queued before, then the callbacks that I/O, posts and timers bring,
  /// and what all these queue in the next one. (Loops of Swift's own programs deliver I/O first; see row T1 in
  /// Semantics.) So what a poll brings is kept apart from what is queued meanwhile, also by protocols that it calls.
  final func runInOrder() throws {
    repeat {
      turns &+= 1
      try runReady()
      do {
        keepsArrivalsApart = true
        defer { keepsArrivalsApart = false }
        try poll(timeout: waitTimeout())
      }
      swap(&ready, &arrivals)
      defer {
        arrivals.append(&ready)
        swap(&ready, &arrivals)
      }
      try runReady()
    } while !isStopping
  }

  @inline(__always)
  final func runEmbedded(_ word: LoopWord) throws {
    guard let embedded else { return }
    if !embedded.run(word.pointer) { throw embedded.interrupt() }
  }

  final func dropEmbedded(_ word: LoopWord) { embedded?.drop(word.pointer) }
}
