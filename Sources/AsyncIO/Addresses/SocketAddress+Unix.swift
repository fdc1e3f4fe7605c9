internal import CAsyncIO
public import SystemPackage

// The names of Unix sockets. The traps:
//
// - The field is of fixed size and the kernel refuses what does not fit, so a path that is too long gets its own error
//   here, with both numbers in it, and is never cut.
// - The length of the address counts. A path ends with a NUL that is counted; an abstract name begins with a NUL, may
//   hold more of them, and ends where the length says. A socket without a name has only the family.

extension SocketAddress {
  /// The number of bytes that the system has for a name; a path needs one of them for its terminating NUL.
  private static var unixCapacity: Int { MemoryLayout.size(ofValue: sockaddr_un().sun_path) }

  private static var unixNameOffset: Int { MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! }

  /// The longest path, in bytes: 107 on Linux.
  public static var maximumUnixPathLength: Int { unixCapacity - 1 }

  /// Create the address of a Unix socket: a path, or an abstract name that begins with a NUL (Linux) and has no file.
  ///
  /// Throws code `invalidArgument` for an empty name, for one that is too long (107 bytes on Linux), and for a path
  /// with a NUL inside.
  public init(unixPath path: String) throws(EventLoopError) { try self.init(unixBytes: Array(path.utf8)) }

  private init(unixBytes name: [UInt8]) throws(EventLoopError) {
    let isAbstract = name.first == 0
    let path = String(decoding: name, as: UTF8.self)
    if name.isEmpty {
      throw EventLoopError(.invalidArgument, "unixPath is empty. Give a path, or \"\\0name\" for an abstract name.")
    }
    if !isAbstract && name.contains(0) {
      throw EventLoopError(
        .invalidArgument, "unixPath \"\(path)\" has a NUL inside. Only an abstract name begins with one.")
    }
    // An abstract name has no terminating NUL and may use its byte.
    let limit = isAbstract ? Self.unixCapacity : Self.maximumUnixPathLength
    guard name.count <= limit else {
      throw EventLoopError(
        .invalidArgument,
        "unixPath \"\(path)\" has \(name.count) bytes, the system's limit is \(limit). Give a shorter path, or "
          + "change the directory and give a relative one.")
    }
    self.init(unixName: name, terminated: !isAbstract)
  }

  /// Create the address of a path, whose bytes need not be UTF-8. See ``init(unixPath:)``.
  public init(unixPath path: FilePath) throws(EventLoopError) {
    // Windows has its paths in UTF-16, and those of Unix sockets in UTF-8 all the same.
    let isBytes = MemoryLayout<CInterop.PlatformChar>.size == 1
    let bytes = path.withPlatformString { Array(UnsafeRawBufferPointer(start: $0, count: isBytes ? path.length : 0)) }
    try self.init(unixBytes: isBytes ? bytes : Array(path.string.utf8))
  }

  private init(unixName name: [UInt8], terminated: Bool) {
    var address = sockaddr_un()
    address.sun_family = numericCast(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    let length = Self.unixNameOffset + name.count + (terminated ? 1 : 0)
    self = withUnsafeBytes(of: address) { SocketAddress(copying: UnsafeRawBufferPointer(rebasing: $0[..<length])) }
  }

  /// The bytes of the name of a Unix socket, abstract ones with their NUL; empty for a socket without a name.
  private var unixName: [UInt8] {
    guard isUnix else { return [] }
    let name = withBytes { Array($0.dropFirst(Self.unixNameOffset)) }
    return name.first == 0 ? name : Array(name.prefix { $0 != 0 })
  }

  /// The path of a Unix socket, or its abstract name with the NUL that it begins with; nil for other addresses and for
  /// a socket without a name.
  public var unixPath: String? {
    let name = unixName
    return name.isEmpty ? nil : String(decoding: name, as: UTF8.self)
  }

  /// The path of the file of a Unix socket as the system takes it, with its terminating NUL; nil if there is no file.
  var unixFilePath: [CChar]? {
    let name = unixName
    return name.isEmpty || name[0] == 0 ? nil : name.map { CChar(bitPattern: $0) } + [0]
  }

  /// True for a name that is not a file.
  var isAbstract: Bool { unixName.first == 0 }

  var unixDescription: String {
    guard let unixPath else { return "unix:" }
    return isAbstract ? "unix:@\(unixPath.dropFirst())" : "unix:\(unixPath)"
  }
}
