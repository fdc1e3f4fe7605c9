internal import AsyncIO

// Names of hosts, the second half of L.

extension ConformanceSuite {
  static let nameChecks: [ConformanceCheck] = [
    ConformanceCheck(
      148, "A literal address is answered without a thread and without a turn", facet: "literal",
      deviation: "CPython's getaddrinfo goes to a thread for literals too; connections and servers do not."
    ) { subject in
      try subject.run { loop in
        let trail = Trail()
        for host in ["127.0.0.1", "::1"] {
          try loop.callSoon { trail.mark("turn") }
          let found = try await loop.getaddrinfo(host: host, port: 80, type: .stream)
          trail.mark("literal")
          try subject.expect("\(host) has addresses", !found.isEmpty)
          try await sleep(for: .zero)
        }
        try subject.expect("order", trail, "literal turn literal turn")
      }
    },
    ConformanceCheck(
      148, "Look-ups have threads of their own: work that fills the executor does not hold them up", facet: "pool",
      capabilities: .threads,
      deviation: "CPython looks names up in the default executor, so they wait for other work."
    ) { subject in
      try subject.run { loop in
        let gate = Gate()
        let pool = ThreadPool(maximumThreads: 1)
        loop.setDefaultExecutor(pool)
        subject.atEnd {
          gate.open()
          pool.shutDown()
        }
        let work = try loop.runInExecutor { gate.wait() }
        let found = try await loop.getaddrinfo(host: "localhost", port: 80, type: .stream)
        try subject.expect("addresses while the executor is full", !found.isEmpty && !work.isDone)
        gate.open()
        try await work.get()
      }
    },
    ConformanceCheck(148, "Addresses get names, and bad names errors that say which", facet: "names") { subject in
      try subject.run { loop in
        let web = try await loop.getaddrinfo(host: "127.0.0.1", port: "80", type: .stream)
        try subject.expect("addresses", web.map(\.address.description), ["127.0.0.1:80"])
        let back = try await loop.getnameinfo(web[0].address, flags: [.numericHost, .numericService])
        try subject.expect("names", "\(back.host) \(back.service)", "127.0.0.1 80")
        let error = await thrown { _ = try await loop.getaddrinfo(host: "with\0nul", port: 1) }
        try subject.expect("a NUL inside", (error as? ResolutionError)?.host == "with\0nul")
      }
    },
  ]
}
