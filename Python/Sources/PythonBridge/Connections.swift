// The names are the seam's, which is C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

@_spi(Embedding) import AsyncIO
public import CSeam
import SystemPackage

// Servers, connections that are asked for, and files: what Swift's tasks do for Python's futures.

@c @implementation
public func aioswift_server_new(
  _ loop: UnsafeMutableRawPointer?, _ fd: Int32, _ backlog: Int32, _ acceptor: UnsafeMutableRawPointer?
) -> UnsafeMutableRawPointer? {
  let python = Kept(acceptor!, release: aiopy_acceptor_gone)
  do {
    let server = try LoopBox.of(loop!).loop.embeddedServer(over: fd, backlog: backlog) { try accepted(by: python) }
    return Unmanaged.passRetained(server).toOpaque()
  } catch {
    _ = raise(error)
    return nil
  }
}

/// A Python object with a reference. Used with the GIL, which its end takes.
private final class Kept: @unchecked Sendable {
  let python: UnsafeMutableRawPointer
  private let release: @convention(c) (UnsafeMutableRawPointer?) -> Void

  init(
    _ python: UnsafeMutableRawPointer,
    release: @escaping @convention(c) (UnsafeMutableRawPointer?) -> Void = aiopy_release
  ) {
    aiopy_retain(python)
    (self.python, self.release) = (python, release)
  }

  deinit { release(python) }
}

private func accepted(by acceptor: Kept) throws -> any ReceivingProtocol {
  var buffered = false
  guard let transport = aiopy_accept(acceptor.python, &buffered) else { throw PythonError.current() }
  return buffered ? PythonBufferedProtocol(transport) : PythonStreamProtocol(transport)
}

@c @implementation
public func aioswift_server_close(_ server: UnsafeMutableRawPointer?) {
  Unmanaged<Server>.fromOpaque(server!).takeUnretainedValue().close()
}

@c @implementation
public func aioswift_server_release(_ server: UnsafeMutableRawPointer?) {
  Unmanaged<Server>.fromOpaque(server!).release()
}

@c @implementation
public func aioswift_settle(_ loop: UnsafeMutableRawPointer?) { LoopBox.of(loop!).loop.settlePosts() }

// MARK: Tasks

/// A future of Python's that a task of Swift's resolves, once. With the GIL, which the seam's call takes.
private final class PythonOperation: @unchecked Sendable {
  private let python: UnsafeMutableRawPointer
  init(_ python: UnsafeMutableRawPointer) { self.python = python }

  func succeed(_ value: UnsafeMutableRawPointer?) { aiopy_resolve(python, value, nil) }
  func fail(_ error: any Error) { withFailure(error) { aiopy_resolve(python, nil, $0) } }
}

private final class TaskBox {
  let task: LoopTask<Void>
  init(_ task: LoopTask<Void>) { self.task = task }
}

/// Start a task for an operation, which it resolves whatever happens.
private func start(
  _ loop: UnsafeMutableRawPointer?, _ operation: UnsafeMutableRawPointer?,
  _ body: @escaping @Sendable (BaseEventLoop) async throws -> UnsafeMutableRawPointer?
) -> UnsafeMutableRawPointer? {
  let loop = LoopBox.of(loop!).loop
  let operation = PythonOperation(operation!)
  do {
    let task = try loop.createTask {
      do { operation.succeed(try await body(loop)) } catch { operation.fail(error) }
    }
    return Unmanaged.passRetained(TaskBox(task)).toOpaque()
  } catch {
    operation.fail(error)
    _ = raise(error)
    return nil
  }
}

@c @implementation
public func aioswift_task_cancel(_ task: UnsafeMutableRawPointer?) {
  Unmanaged<TaskBox>.fromOpaque(task!).takeUnretainedValue().task.cancel()
}

@c @implementation
public func aioswift_task_release(_ task: UnsafeMutableRawPointer?) {
  Unmanaged<TaskBox>.fromOpaque(task!).release()
}

// MARK: Connecting

/// The arguments of a connection, copied: the caller's live until its call returns.
private struct Request: Sendable {
  let host: String
  let localHost: String?
  let port: UInt16
  let localPort: UInt16
  let family: AddressFamily
  let proto: Int32
  let flags: AddressInfoFlags
  let delay: Duration?
  let interleave: Int?

  init(_ request: aioswift_connect_request) {
    host = String(cString: request.host)
    localHost = request.local_host.map { String(cString: $0) }
    (port, localPort) = (request.port, request.local_port)
    family = AddressFamily(rawValue: request.family)
    proto = request.protocol
    flags = AddressInfoFlags(rawValue: request.flags)
    delay = request.delay < 0 ? nil : .seconds(request.delay)
    interleave = request.interleave < 0 ? nil : Int(request.interleave)
  }
}

@c @implementation
public func aioswift_connect(
  _ loop: UnsafeMutableRawPointer?, _ request: UnsafePointer<aioswift_connect_request>?,
  _ operation: UnsafeMutableRawPointer?
) -> UnsafeMutableRawPointer? {
  let request = Request(request!.pointee)
  let python = Kept(operation!)
  return start(loop, operation) { loop in try await connect(request, on: loop, for: python) }
}

private func connect(
  _ request: Request, on loop: BaseEventLoop, for operation: Kept
) async throws -> UnsafeMutableRawPointer {
  var made: UnsafeMutableRawPointer?
  defer { if let made { aiopy_release(made) } }
  _ = try await loop.embeddedConnection(
    host: request.host, port: request.port, family: request.family, proto: request.proto, flags: request.flags,
    localHost: request.localHost, localPort: request.localPort, happyEyeballsDelay: request.delay,
    interleave: request.interleave
  ) { () -> any ReceivingProtocol in
    var buffered = false
    guard let transport = aiopy_connected(operation.python, &buffered) else { throw PythonError.current() }
    // One reference for the protocol, one for the result.
    aiopy_retain(transport)
    made = transport
    return buffered ? PythonBufferedProtocol(transport) : PythonStreamProtocol(transport)
  }
  aiopy_retain(made!)
  return made!
}

// MARK: Files

/// A transport in a task on its own loop.
private struct Carried: @unchecked Sendable {
  // Right because the task runs in the loop's thread, as everything that uses the transport does.
  let transport: StreamTransport
}

@c @implementation
public func aioswift_sendfile(
  _ loop: UnsafeMutableRawPointer?, _ transport: UnsafeMutableRawPointer?, _ fd: Int32, _ offset: Int64,
  _ count: Int64, _ operation: UnsafeMutableRawPointer?
) -> UnsafeMutableRawPointer? {
  let carried = Carried(transport: Unmanaged<StreamTransport>.fromOpaque(transport!).takeUnretainedValue())
  return start(loop, operation) { loop in
    let sent = try await loop.sendfile(
      carried.transport, FileDescriptor(rawValue: fd), offset: offset, count: count < 0 ? nil : count, fallback: false)
    // A task of a closed loop goes on in another thread, without the GIL.
    if loop.isClosed { throw EventLoopError(.closed, "sendfile: the event loop was closed.") }
    return aiopy_number(sent)
  }
}
