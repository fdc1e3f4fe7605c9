#if os(Linux)
  import POSIX
  import Testing

  /// A directory of a test's own, gone with it.
  final class TemporaryDirectory: Sendable {
    let path: String

    init() { path = makeTemporary { mkdtemp($0) }.path }

    deinit { removeAll() }

    private func removeAll() {
      // The two-level trees that servers leave here.
      for name in Self.entries(of: path) {
        for inner in Self.entries(of: "\(path)/\(name)") { unlink("\(path)/\(name)/\(inner)") }
        remove("\(path)/\(name)")
      }
      rmdir(path)
    }

    private static func entries(of path: String) -> [String] {
      guard let directory = opendir(path) else { return [] }
      defer { closedir(directory) }
      var names: [String] = []
      while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) {
          String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != "." && name != ".." { names.append(name) }
      }
      return names
    }

    func write(_ text: String, to name: String) throws -> String {
      let file = try #require(fopen("\(path)/\(name)", "w"))
      defer { fclose(file) }
      fputs(text, file)
      return "\(path)/\(name)"
    }
  }

  extension Program {
    static func echo(_ kind: LoopKind, _ options: String..., before: [String] = []) throws -> Program {
      try Program(before + [command, "echo", "--port", "0", "--loop", kind.commandName] + options)
    }

    static func proxy(_ kind: LoopKind, to port: UInt16, _ options: String..., before: [String] = []) throws -> Program
    {
      try Program(
        before + [command, "proxy", "--listen", "0", "--to", "127.0.0.1:\(port)", "--loop", kind.commandName] + options)
    }

    /// Start nginx with one server, for up to 2,048 clients; what it writes goes into the directory.
    ///
    /// - Parameter server: what stands in its `server` block.
    static func nginx(in directory: TemporaryDirectory, server: String) throws -> Program {
      let path = directory.path
      let configuration = try directory.write(
        """
        daemon off; master_process off; pid \(path)/pid; error_log \(path)/errors;
        worker_rlimit_nofile 4096;
        events { worker_connections 2048; }
        http {
          access_log off; client_body_temp_path \(path)/b; proxy_temp_path \(path)/p;
          fastcgi_temp_path \(path)/f; uwsgi_temp_path \(path)/u; scgi_temp_path \(path)/s;
          server { \(server) }
        }
        """, to: "nginx.conf")
      return try Program(["nginx", "-c", configuration, "-e", "\(path)/errors"])
    }

    /// Run a client script. The scripts use nothing but the standard library.
    static func python(_ script: String, _ arguments: String..., limit: Int = 30) async throws -> Ended {
      try await run(["python3", "-c", script] + arguments, limit: limit)
    }
  }

  extension LoopKind {
    /// How the command calls it.
    var commandName: String { self == .epoll ? "selector" : rawValue }
  }

  /// A port that is free now.
  func freePort() throws -> UInt16 {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(fd) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let size = length
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(fd, $0, size) == 0 ? getsockname(fd, $0, &length) : -1
      }
    }
    try #require(status == 0)
    return UInt16(bigEndian: address.sin_port)
  }
#endif
