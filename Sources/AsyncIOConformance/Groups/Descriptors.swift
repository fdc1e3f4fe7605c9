internal import AsyncIO
internal import SystemPackage

extension ConformanceSuite {
  /// Group E, readers and writers.
  static let descriptorChecks: [ConformanceCheck] = [
    watchCheck(56, "A second reader replaces the first; removing answers true once") { subject, loop in
      let pair = try subject.socketPair()
      let trail = Trail()
      try loop.addReader(pair.near) { trail.mark("first") }
      try loop.addReader(pair.near) {
        trail.mark("second")
        trail.mark(try loop.removeReader(pair.near))
        trail.mark(try loop.removeReader(pair.near))
        trail.mark(try loop.removeWriter(pair.near))
        try loop.stop(afterTurns: 2)
      }
      pair.write(to: pair.far)
      try loop.runForever()
      try subject.expect("reader, removals", trail, "second true false false")
    },
    watchCheck(57, "Unread data calls the reader in every turn") { subject, loop in
      let pair = try subject.socketPair()
      let trail = Trail()
      try loop.addReader(pair.near) { trail.mark("reader") }
      pair.write(to: pair.far)
      try loop.callSoon { try loop.stop(afterTurns: 4) }
      try loop.runForever()
      try subject.expect("five turns", trail, "reader reader reader reader reader")
    },
    watchCheck(58, "What a callback removes in its turn does not fire") { subject, loop in
      let pair = try subject.socketPair()
      let trail = Trail()
      try loop.addReader(pair.near) {
        trail.mark("reader")
        trail.mark(try loop.removeReader(pair.near))
        trail.mark(try loop.removeWriter(pair.near))
        try loop.stop(afterTurns: 3)
      }
      try loop.addWriter(pair.near) { trail.mark("writer") }
      pair.write(to: pair.far)
      try loop.runForever()
      try subject.expect("reader, removals", trail, "reader true true")
    },
    ConformanceCheck(
      58, "The reader of another descriptor that it removes does not fire either", facet: "another",
      capabilities: .descriptorWatches
    ) { subject in
      let loop = try subject.makeLoop()
      let pairs = [try subject.socketPair(), try subject.socketPair()]
      let trail = Trail()
      // The system chooses which of the two is reported first; that one silences the other.
      for pair in pairs {
        try loop.addReader(pair.near) {
          trail.mark("reader")
          for each in pairs { try loop.removeReader(each.near) }
          try loop.stop(afterTurns: 3)
        }
        pair.write(to: pair.far)
      }
      try loop.runForever()
      try subject.expect("readers", trail, "reader")
    },
    watchCheck(59, "A callback that throws is reported and stays registered") { subject, loop in
      struct Failure: Error {}
      let pair = try subject.socketPair()
      try loop.addReader(pair.near) { throw Failure() }
      pair.write(to: pair.far)
      try loop.callSoon { try loop.stop(afterTurns: 2) }
      try loop.runForever()
      let reports = subject.takeReports()
      try subject.expect("reports", reports.count, 3)
      try subject.expect("of the callback", reports.allSatisfy { $0.exception is Failure && $0.handle != nil })
      try subject.expect("still registered", try loop.removeReader(pair.near))
    },
    watchCheck(60, "The end of the peer is told to both directions") { subject, loop in
      let pair = try subject.socketPair()
      // A full socket: only the hang-up can make it writable.
      pair.fill(pair.near)
      let told = Box<Set<String>>([])
      @Sendable func tell(_ direction: String) {
        if told.update({
          $0.insert(direction); return $0.count
        }) == 2 {
          loop.stop()
        }
      }
      try loop.addReader(pair.near) { tell("reader") }
      try loop.addWriter(pair.near) { tell("writer") }
      try loop.callSoon { pair.close(pair.far) }
      try loop.runForever()
      try subject.expect("told", told.value.sorted().joined(separator: " "), "reader writer")
    },
    watchCheck(61, "A dead number is refused at once and leaves nothing") { subject, loop in
      for number in [Int32(-1), 1 << 20] {
        try expectErrno(subject, "reader of \(number)", .badFileDescriptor) { try loop.addReader(number) {} }
        try subject.expect("removal of \(number)", try loop.removeReader(number), false)
      }
      let pair = try subject.socketPair()
      pair.close(pair.near)
      try expectErrno(subject, "reader of a closed one", .badFileDescriptor) { try loop.addReader(pair.near) {} }
      try subject.expect("removal of a closed one", try loop.removeReader(pair.near), false)
    },
    ConformanceCheck(
      61, "A regular file is refused with every mechanism", facet: "file", capabilities: .descriptorWatches,
      deviation: "CPython refuses it with epoll and watches it with poll."
    ) { subject in
      let loop = try subject.makeLoop()
      let file = try TemporaryFile([1])
      try expectErrno(subject, "reader", .notPermitted) { try loop.addReader(file.number) {} }
      try expectErrno(subject, "writer", .notPermitted) { try loop.addWriter(file.number) {} }
      try subject.expect("removal", try loop.removeReader(file.number), false)
    },
    ConformanceCheck(
      62, "The descriptor of an open connection is refused by name, and free when that is closed",
      capabilities: [.descriptorWatches, .streamSockets]
    ) { subject in
      try subject.run { loop in
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
        defer { listener.close() }
        async let accepted = listener.accept()
        let connection = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
        let peer = try await accepted
        defer { peer.close() }
        let number = try subject.unwrap("its descriptor", Process.descriptor(connectedTo: listener.port))
        try subject.expectRefusal("addReader", .invalidState) { try loop.addReader(number) {} }
        try subject.expectRefusal("removeWriter", .invalidState) { try loop.removeWriter(number) }
        do { try loop.addWriter(number) {} } catch {
          try subject.require("\(error)".contains("\(number)"), "the error does not name \(number): \(error)")
        }
        connection.close()
        try subject.expect("removal afterwards", try loop.removeReader(number), false)
      }
    },
    ConformanceCheck(
      63, "A number that came again serves its new callback only", capabilities: .descriptorWatches,
      surroundings: .ownProcess,
      deviation: "CPython may call the old callback for the new descriptor, or refuse its registration."
    ) { subject in
      let loop = try subject.makeLoop()
      let old = try subject.socketPair()
      let trail = Trail()
      try loop.addReader(old.near) { trail.mark("old-reader") }
      try loop.addWriter(old.near) { trail.mark("old-writer") }
      old.close(old.near)
      // Most systems hand out the number that became free last, or the lowest one.
      let new = try subject.socketPair()
      try subject.require(new.near == old.near, "\(old.near) was not given out again but \(new.near)")
      try loop.addReader(new.near) {
        trail.mark("new-reader")
        loop.stop()
      }
      new.write(to: new.far)
      try loop.runForever()
      try subject.expect("fired", trail, "new-reader")
      try subject.expect("old writer is left", try loop.removeWriter(new.near), false)
    },
    ConformanceCheck(
      63, "A number that is closed while its file lives on calls nobody back, and the loop does not spin",
      facet: "elsewhere", capabilities: .descriptorWatches, surroundings: .ownProcess,
      deviation: "CPython calls the old callbacks, with epoll in every turn."
    ) { subject in
      let loop = try subject.makeLoop()
      let pair = try subject.socketPair()
      let trail = Trail()
      try loop.addReader(pair.near) { trail.mark("reader") }
      try loop.addWriter(pair.near) { trail.mark("writer") }
      // A child that inherits it does the same: the file stays open under another number.
      guard Process.hasLowestNumbers else { try subject.notOffered("a socket has one number here") }
      let elsewhere = try FileDescriptor(rawValue: pair.near).duplicate()
      pair.close(pair.near)
      pair.write(to: pair.far)
      try loop.callLater(.milliseconds(50)) { loop.stop() }
      let before = Process.threadTime
      try loop.runForever()
      let used = Process.threadTime - before
      try subject.expect("called", trail, "nothing")
      try subject.require(used < .milliseconds(25), "used \(used) of processor time in a wait of 50 ms")
      try elsewhere.close()
    },
    watchCheck(64, "A removal takes the interest out of the kernel at once") { subject, loop in
      let pair = try subject.socketPair()
      try loop.addReader(pair.near) {}
      try loop.addWriter(pair.near) {}
      try loop.removeReader(pair.near)
      try loop.removeWriter(pair.near)
      try subject.expect("epoll knows it", Process.isInEpoll(pair.near), false)
      // Data that was not asked for does not wake the loop either.
      pair.write(to: pair.far)
      let before = Process.threadTime
      try loop.callLater(.milliseconds(50)) { loop.stop() }
      try loop.runForever()
      let used = Process.threadTime - before
      try subject.require(used < .milliseconds(25), "used \(used) of processor time in a wait of 50 ms")
    },
  ]

  /// A check for loops that watch descriptors.
  private static func watchCheck(
    _ line: Int, _ title: String,
    _ body: @escaping @Sendable (ConformanceSubject, any EventLoop) throws -> Void
  ) -> ConformanceCheck {
    ConformanceCheck(line, title, capabilities: .descriptorWatches) { subject in
      try body(subject, try subject.makeLoop())
    }
  }
}

/// Expect this error of the system; keep its name.
private func expectErrno(
  _ subject: ConformanceSubject, _ name: String, _ expected: Errno, _ body: () throws -> Void
) throws {
  do {
    try body()
    subject.saw(name, "accepted")
    try subject.fail("\(name): expected \(expected), and it was accepted")
  } catch let error as Errno {
    let names: [Errno: String] = [.badFileDescriptor: "EBADF", .notPermitted: "EPERM"]
    try subject.expect(name, names[error] ?? error.description, names[expected] ?? expected.description)
  }
}
