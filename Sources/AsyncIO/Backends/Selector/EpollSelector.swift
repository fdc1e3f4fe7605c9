#if os(Linux) || os(Android)
  internal import CAsyncIO
  public import SystemPackage

  // The traps of epoll, and what is done about each here.
  //
  // 1. A registration belongs to the open file description, not to the number. If a descriptor that a child process
  //   inherited (or a duplicated one) is closed, the registration lives on, reports a number that may be another file's
  //   by now, and cannot be removed through that number any more. So every registration carries a token with a
  //   generation, the backend drops events with an old one, and when such ghosts keep coming `reset()` makes a new
  //   epoll instance: the only cure there is. Changing a registration finds it by number and file, so it returns ENOENT
  //   if the two no longer belong together: that is how a watch knows, exactly and by one call.
  // 2. EPOLLHUP and EPOLLERR cannot be masked. A registration without interest would report them for ever, so the
  //   backend has none: it unregisters.
  // 3. Edge-triggered registration reports a change once. It is used for sockets of the stream layer, which keep their
  //   own readiness bits; watches of user code are level-triggered, as asyncio promises.
  // 4. epoll_wait counts in milliseconds: rounding down spins, rounding up is late. epoll_pwait2 counts in nanoseconds;
  //   the C side falls back to rounding up if the kernel lacks it.
  // 5. Regular files are refused with EPERM at registration. That is passed on.
  // 6. The eventfd for wake-ups is edge-triggered and never read, which spares a system call for each: every write to
  //   it is an edge, whatever its count is. Nothing may depend on the edge itself, as an event loop may see one edge
  //   for two wake-ups: the loop looks for posts after every wait. The count is full after 2^64 wake-ups.
  // 7. A receive of TCP stops at an urgent byte, and what is queued after that byte is not a change that would be
  //   reported. So streams ask for EPOLLPRI as well. It costs no extra event: what wakes for it also wakes for EPOLLIN,
  //   and the mask of a report is that of the moment in which it is fetched. An urgent byte that comes later makes a
  //   report of its own.

  /// The selector of Linux.
  ///
  /// Thread rules as for ``IOSelector``; the unchecked conformance is right because `wake()` uses only a descriptor
  /// that does not change.
  final class EpollSelector: IOSelector, @unchecked Sendable {
    private var epoll: Int32
    private let wakeDescriptor: WakeDescriptor
    private let buffer: UnsafeMutableBufferPointer<epoll_event>

    /// "epoll".
    let name = "epoll"
    /// True: streams are registered once, for changes.
    let supportsEdgeTriggering = true
    /// True: an urgent byte is reported for as long as it is in the queue, even beside ordinary ones.
    let reportsUrgentData = true
    /// True: longer waits use `epoll_pwait2`, if the system has it.
    var hasSubMillisecondWaits: Bool { true }

    /// Create an epoll instance and its eventfd. Throws the errno of the step that failed.
    init() throws(Errno) {
      wakeDescriptor = try WakeDescriptor()
      epoll = casyncio_epoll_create()
      buffer = .allocate(capacity: 1024)
      do throws(Errno) {
        guard epoll >= 0 else { throw Errno(rawValue: -epoll) }
        try registerWake()
      } catch {
        close()
        throw error
      }
    }

    deinit { buffer.deallocate() }

    private func registerWake() throws(Errno) {
      try control(EPOLL_CTL_ADD, wakeDescriptor.readEnd, EPOLLIN.rawValue | EPOLLET.rawValue, WakeDescriptor.token)
    }

    private func control(_ operation: Int32, _ fd: Int32, _ events: UInt32, _ token: UInt64) throws(Errno) {
      let status = casyncio_epoll_control(epoll, operation, fd, events, token)
      guard status != 0 else { return }
      throw Errno(rawValue: -status)
    }

    /// Add the descriptor or change its interest. Throws `EPERM` for a file that epoll cannot wait for.
    func register(_ fd: Int32, interest: SelectorFlags, token: UInt64) throws(Errno) {
      let events = Self.events(for: interest)
      do {
        try control(EPOLL_CTL_ADD, fd, events, token)
      } catch .fileExists {
        try control(EPOLL_CTL_MOD, fd, events, token)
      }
    }

    private static func events(for interest: SelectorFlags) -> UInt32 {
      var events: UInt32 = 0
      if interest.contains(.readable) { events |= EPOLLIN.rawValue | EPOLLRDHUP.rawValue }
      if interest.contains(.writable) { events |= EPOLLOUT.rawValue }
      if interest.contains(.urgent) { events |= EPOLLPRI.rawValue }
      if interest.contains(.edge) { events |= EPOLLET.rawValue }
      return events
    }

    /// Ask the kernel, by a change that changes nothing.
    func namesRegisteredFile(_ fd: Int32, interest: SelectorFlags, token: UInt64) -> Bool {
      do {
        try control(EPOLL_CTL_MOD, fd, Self.events(for: interest), token)
        return true
      } catch {
        return false
      }
    }

    /// Remove the descriptor; an unknown one is ignored.
    func unregister(_ fd: Int32) {
      try? control(EPOLL_CTL_DEL, fd, 0, 0)
    }

    /// Replace the epoll instance, which a forked child shares with its parent, by a new one. If the system has none,
    /// the old one stays as it is.
    func reset() throws(Errno) {
      let old = epoll
      epoll = casyncio_epoll_create()
      do throws(Errno) {
        guard epoll >= 0 else { throw Errno(rawValue: -epoll) }
        try registerWake()
      } catch {
        closeNumber(epoll)
        epoll = old
        throw error
      }
      closeNumber(old)
    }

    /// Wait at most this many nanoseconds, and fill in what is ready. An interrupted wait reports 0.
    func select(
      timeout: Int64, into events: UnsafeMutableBufferPointer<SelectorEvent>
    ) throws(Errno) -> Int {
      let capacity = min(buffer.count, events.count)
      let n = Int(casyncio_epoll_wait(epoll, buffer.baseAddress!, Int32(capacity), timeout))
      guard n >= 0 else {
        if n == -Int(EINTR) { return 0 }
        throw Errno(rawValue: Int32(-n))
      }
      var filled = 0
      for i in 0..<n {
        let token = buffer[i].data.u64
        if token == WakeDescriptor.token { continue }
        events[filled] = SelectorEvent(token: token, flags: Self.flags(of: buffer[i].events))
        filled += 1
      }
      return filled
    }

    @inline(__always)
    private static func flags(of events: UInt32) -> SelectorFlags {
      // The common case first: readable and writable have the same bits on both sides, only in other places.
      var flags: UInt32 = events & EPOLLIN.rawValue
      if events & EPOLLOUT.rawValue != 0 { flags |= SelectorFlags.writable.rawValue }
      if events & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue) != 0 { flags |= SelectorFlags.hangup.rawValue }
      if events & EPOLLERR.rawValue != 0 { flags |= SelectorFlags.error.rawValue }
      if events & EPOLLPRI.rawValue != 0 { flags |= SelectorFlags.urgent.rawValue }
      return SelectorFlags(rawValue: flags)
    }

    /// End the current or the next wait. Any thread, even a signal handler.
    func wake() { wakeDescriptor.signal() }

    /// Close the epoll instance and its eventfd.
    func close() {
      closeNumber(epoll)
      wakeDescriptor.close()
    }
  }

  extension Selectors {
    /// Make a selector over epoll(7), the platform's best. Throws what the system says, for instance if no descriptors
    /// are left. Answers `EpollSelector`.
    public static func epoll() throws(Errno) -> some IOSelector { try EpollSelector() }

    /// The platform's best.
    static func best() throws(Errno) -> any IOSelector { try EpollSelector() }
  }
#endif
