import AsyncIONIO
import Glibc
import NIOCore
import NIOPosix
import Testing

/// Two ends, for others to close.
struct Pipe {
  let reading: CInt
  let writing: CInt

  init() throws {
    var ends: [CInt] = [-1, -1]
    try #require(pipe(&ends) == 0)
    // A process that another test starts must not keep an end open.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    (reading, writing) = (ends[0], ends[1])
  }

  /// True while both numbers are open.
  var isOpen: Bool { fcntl(reading, F_GETFD) >= 0 && fcntl(writing, F_GETFD) >= 0 }
}

extension Channels {
  func pipes(
    _ input: CInt?, _ output: CInt?, halfClosure: Bool = false, _ initializer: @escaping Initializer = { _ in }
  ) async throws -> any Channel {
    let prepare = Self.future(initializer)
    if site == .nio {
      let bootstrap = NIOPipeBootstrap(group: group).channelInitializer(prepare)
        .channelOption(.allowRemoteHalfClosure, value: halfClosure)
      guard let input else { return try await bootstrap.takingOwnershipOfDescriptor(output: output!).get() }
      guard let output else { return try await bootstrap.takingOwnershipOfDescriptor(input: input).get() }
      return try await bootstrap.takingOwnershipOfDescriptors(input: input, output: output).get()
    }
    let bootstrap = AsyncIOPipeBootstrap(group: group).channelInitializer(prepare)
      .channelOption(.allowRemoteHalfClosure, value: halfClosure)
    guard let input else { return try await bootstrap.takingOwnershipOfDescriptor(output: output!).get() }
    guard let output else { return try await bootstrap.takingOwnershipOfDescriptor(input: input).get() }
    return try await bootstrap.takingOwnershipOfDescriptors(input: input, output: output).get()
  }
}
