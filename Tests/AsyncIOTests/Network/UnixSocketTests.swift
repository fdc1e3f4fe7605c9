import CAsyncIO
import Logging
import SystemPackage
import Testing

@testable import AsyncIO

/// Unix sockets, their names and their files: lines 115 to 117 of the conformance list.
@Suite(.timeLimit(.minutes(5)))
struct UnixSocketTests {
  private func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  private func talk(over path: String) async throws {
    let listener = try await StreamListener.bind(unixPath: path)
    defer { listener.close() }
    try await talk(to: listener, path)
  }

  private func talk(to listener: StreamListener, _ path: String) async throws {
    async let accepted = listener.accept()
    let client = try await StreamConnection.connect(unixPath: path)
    let server = try await accepted
    try await client.write("ping")
    #expect(try await server.readExactly(4) == Array("ping".utf8))
    try await server.write(numbered(0..<100_000))
    let answer = try await client.readExactly(100_000) == numbered(0..<100_000)
    #expect(answer)
    #expect(client.peerAddress?.unixPath == path)
    #expect(client.localAddress?.unixPath == nil && client.localAddress?.description == "unix:")
    server.close()
    client.close()
  }

  @Test("A path and an abstract name carry a stream", arguments: LoopKind.allCases)
  func streams(kind: LoopKind) async throws {
    try await kind.run { _ in
      try await withDirectory { directory in
        try await talk(over: "\(directory)/s")
        #if os(Linux)
          try await talk(over: "\0asyncio-test \(directory)")
        #endif
      }
    }
  }

  @Test("serve works over a path", arguments: LoopKind.allCases)
  func serving(kind: LoopKind) async throws {
    try await kind.run { loop in
      try await withDirectory { directory in
        let listener = try await StreamListener.bind(unixPath: FilePath("\(directory)/s"))
        #expect(listener.port == 0 && listener.addresses.map(\.description) == ["unix:\(directory)/s"])
        let serving = try loop.createTask {
          try await listener.serve { connection in
            try await connection.forEachChunk { try await connection.write($0) }
          }
        }
        let client = try await StreamConnection.connect(unixPath: FilePath("\(directory)/s"))
        try await client.write("echo")
        #expect(try await client.readExactly(4) == Array("echo".utf8))
        client.close()
        listener.close()
        try await serving.get()
      }
    }
  }

  @Test("115: a stale socket is replaced; any other file is kept", arguments: LoopKind.allCases)
  func stale(kind: LoopKind) async throws {
    try await kind.run { _ in
      try await withDirectory { directory in
        let path = "\(directory)/s"
        let first = try await StreamListener.bind(unixPath: path, cleanupSocket: false)
        first.close()
        #expect(exists(path))
        try await talk(over: path)
        #expect(!exists(path))
        let file = try FileDescriptor.open(
          FilePath(path), .writeOnly, options: .create, permissions: .ownerReadWrite)
        try file.closeAfter { _ = try file.writeAll("data".utf8) }
        for kept in [path, "\(directory)/link"] {
          if kept != path { #expect(symlink(path, kept) == 0) }
          let error = try await failure(IOError.self) { _ = try await StreamListener.bind(unixPath: kept) }
          #expect(error.errno == .addressInUse)
          #expect(error.description.contains("unix:\(kept)") && error.description.contains("remove the file"))
          #expect(exists(kept), "\(kept)")
        }
      }
    }
  }

  @Test("116: closing removes the file: not one that was replaced, not if disabled", arguments: LoopKind.allCases)
  func removal(kind: LoopKind) async throws {
    try await kind.run { loop in
      try await withDirectory { directory in
        let log = CapturedLog(of: loop)
        let path = "\(directory)/s"
        let removed = try await StreamListener.bind(unixPath: path)
        removed.close()
        #expect(!exists(path))
        let first = try await StreamListener.bind(unixPath: path)
        #expect(unlink(path) == 0)
        let second = try await StreamListener.bind(unixPath: path)
        first.close()
        #expect(exists(path), "it is the second one's")
        try await talk(to: second, path)
        second.close()
        #expect(!exists(path))
        first.close()
        let kept = try await StreamListener.bind(unixPath: path, cleanupSocket: false)
        kept.close()
        #expect(exists(path))
        let gone = try await StreamListener.bind(unixPath: path)
        #expect(unlink(path) == 0)
        gone.close()
        do { _ = try await StreamListener.bind(unixPath: path) }
        #expect(!exists(path), "the path of a dropped one is also gone")
        #expect(log.entries.filter { $0.level >= .error }.isEmpty)
      }
    }
  }

  /// Sockets that a program has, in all states in which one can be.
  enum Live: String, CaseIterable, Sendable {
    case serving, bound, full, server, datagrams
  }

  @Test("A path with a live socket is in use, and its owner sees nothing", arguments: LoopKind.allCases, Live.allCases)
  func live(kind: LoopKind, state: Live) async throws {
    try await kind.run { loop in
      try await withDirectory { directory in
        let path = "\(directory)/s"
        let address = try SocketAddress(unixPath: path)
        var (clients, owner): ([StreamConnection], Any) = ([], 0)
        var close = {}
        switch state {
        case .serving, .bound, .full:
          let listener = try await StreamListener.bind(unixPath: path, backlog: 1, startServing: state != .bound)
          (owner, close) = (listener, { listener.close() })
          if state == .full {
            do { while true { clients.append(try await StreamConnection.connect(unixPath: path)) } } catch is IOError {}
          }
        case .server:
          let server = try await loop.createUnixServer(path: path) { ScriptedProtocol() }
          (owner, close) = (server, { server.close() })
        case .datagrams:
          let endpoint = try await DatagramEndpoint.bind(to: address)
          (owner, close) = (endpoint, { endpoint.close() })
        }
        let stream = try await failure(IOError.self) { _ = try await StreamListener.bind(unixPath: path) }
        #expect(stream.errno == .addressInUse && stream.description.contains("unix:\(path)"))
        let datagram = try await failure(IOError.self) { _ = try await DatagramEndpoint.bind(to: address) }
        #expect(datagram.errno == .addressInUse)
        #expect(exists(path))
        if state == .serving, let listener = owner as? StreamListener {
          // The next one to come is a client, and nobody who only asked.
          let client = try await StreamConnection.connect(unixPath: path)
          try await client.write("ping")
          #expect(try await listener.accept().readExactly(4) == Array("ping".utf8))
          client.close()
        }
        for client in clients { client.close() }
        close()
        #expect(!exists(path))
        try await StreamListener.bind(unixPath: path).close()
      }
    }
  }

  @Test("A path need not be UTF-8", arguments: LoopKind.allCases)
  func bytes(kind: LoopKind) async throws {
    try await kind.run { _ in
      try await withDirectory { directory in
        let name = Array("\(directory)/".utf8CString.dropLast()) + [CChar(bitPattern: 0xFF), 0]
        let path = FilePath(platformString: name)
        let listener = try await StreamListener.bind(unixPath: path)
        #expect(access(name, F_OK) == 0)
        try await StreamConnection.connect(unixPath: path).close()
        listener.close()
        #expect(access(name, F_OK) != 0)
      }
    }
  }

  #if os(Linux)
    @Test("A relative path is removed after the directory was changed", arguments: LoopKind.allCases)
    func changedDirectory(kind: LoopKind) async throws {
      let program = try await HelperProgram.run("changed-directory", ["ASYNCIO_EVENT_LOOP": kind.nameOfKind])
      for owner in ["listener", "server", "endpoint", "transport"] { #expect(program[owner] == "gone", "\(owner)") }
      #expect(program["other"] == "kept")
    }
  #endif

  @Test("116: a file under the name of an abstract socket is not touched", arguments: LoopKind.allCases)
  func abstract(kind: LoopKind) async throws {
    #if os(Linux)
      try await kind.run { _ in
        try await withDirectory { directory in
          let path = "\(directory)/s"
          let other = try await StreamListener.bind(unixPath: path, cleanupSocket: false)
          other.close()
          let listener = try await StreamListener.bind(unixPath: "\0\(path)")
          #expect(listener.addresses[0].description == "unix:@\(path)")
          let busy = try await failure(IOError.self) { _ = try await StreamListener.bind(unixPath: "\0\(path)") }
          #expect(busy.errno == .addressInUse && busy.description.contains("unix:@\(path)"))
          listener.close()
          #expect(exists(path))
        }
      }
    #endif
  }

  @Test("117: a name that does not fit is refused with both numbers")
  func lengths() throws {
    let limit = SocketAddress.maximumUnixPathLength
    #if os(Linux)
      #expect(limit == 107)
    #endif
    let longest = String(repeating: "p", count: limit)
    #expect(try SocketAddress(unixPath: longest).unixPath == longest)
    #expect(try SocketAddress(unixPath: FilePath("/run/x.sock")).description == "unix:/run/x.sock")
    for (path, text) in [
      (longest + "p", "\(limit + 1) bytes, the system's limit is \(limit)"), ("", "empty"), ("a\0b", "NUL"),
      ("\0" + longest + "p", "\(limit + 2) bytes, the system's limit is \(limit + 1)"),
    ] {
      let error = #expect(throws: EventLoopError.self) { try SocketAddress(unixPath: path) }
      #expect(
        error?.code == .invalidArgument && error?.description.contains(text) == true, "\(String(describing: error))")
    }
    #expect(try SocketAddress(unixPath: "\0name\0x").unixPath == "\0name\0x")
    #expect(try SocketAddress(unixPath: "\0" + longest).unixPath == "\0" + longest)
    #expect(try SocketAddress(unixPath: "a") != SocketAddress(unixPath: "\0a"))
  }

  @Test("The longest path works, the mode is set, errors name the path", arguments: LoopKind.allCases)
  func paths(kind: LoopKind) async throws {
    try await kind.run { _ in
      try await withDirectory { directory in
        let padding = SocketAddress.maximumUnixPathLength - directory.utf8.count - 1
        try await talk(over: "\(directory)/" + String(repeating: "s", count: padding))
        let path = "\(directory)/s"
        let listener = try await StreamListener.bind(unixPath: path, mode: [.ownerReadWrite])
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        listener.close()
        let absent = try await failure(IOError.self) { _ = try await StreamConnection.connect(unixPath: path) }
        #expect(absent.errno == .noSuchFileOrDirectory && absent.description.contains("unix:\(path)"))
        let stale = try await StreamListener.bind(unixPath: path, cleanupSocket: false)
        stale.close()
        let refused = try await failure(IOError.self) { _ = try await StreamConnection.connect(unixPath: path) }
        #expect(refused.errno == .connectionRefused && refused.description.contains("listened there has ended"))
        let nowhere = try await failure(IOError.self) {
          _ = try await StreamListener.bind(unixPath: "\(directory)/no/s")
        }
        #expect(nowhere.errno == .noSuchFileOrDirectory && nowhere.description.contains("bind unix:"))
      }
    }
  }

  @Test("A full queue refuses, and the error says so", arguments: LoopKind.allCases)
  func fullQueue(kind: LoopKind) async throws {
    try await kind.run { _ in
      try await withDirectory { directory in
        let path = "\(directory)/s"
        let listener = try await StreamListener.bind(unixPath: path, backlog: 1)
        defer { listener.close() }
        var clients: [StreamConnection] = []
        defer { for client in clients { client.close() } }
        let full = try await failure(IOError.self) {
          for _ in 0..<100 { clients.append(try await StreamConnection.connect(unixPath: path)) }
        }
        #expect(full.errno == .resourceTemporarilyUnavailable)
        #expect(full.description.contains("connect to unix:\(path)") && full.description.contains("queue"), "\(full)")
        let accepted = try await listener.accept()
        accepted.close()
        clients.append(try await StreamConnection.connect(unixPath: path))
      }
    }
  }
}

/// Make a directory for the body, and remove it with the sockets and files that are left in it.
func withDirectory<R>(_ body: (_ path: String) async throws -> R) async throws -> R {
  let path = makeTemporary { mkdtemp($0) }.path
  defer {
    for name in ["s", "link"] { unlink("\(path)/\(name)") }
    rmdir(path)
  }
  return try await body(path)
}
