// The names are the seam's, which is C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

@_spi(Embedding) import AsyncIO
import CSeam

// What Python's transports do with Swift's.

private func transport<T: BaseTransport>(_ pointer: UnsafeMutableRawPointer?, as _: T.Type = T.self) -> T {
  // Right because the Python object knows its kind, and asks by it.
  unsafeDowncast(Unmanaged<BaseTransport>.fromOpaque(pointer!).takeUnretainedValue(), to: T.self)
}

private func isPipe(_ kind: Int32, reading: Bool) -> Bool {
  kind == Int32((reading ? AIOSWIFT_READ_PIPE : AIOSWIFT_WRITE_PIPE).rawValue)
}

private func isStream(_ kind: Int32) -> Bool { kind == Int32(AIOSWIFT_STREAM.rawValue) }

private func retained(_ make: () throws -> BaseTransport) -> UnsafeMutableRawPointer? {
  do {
    return Unmanaged.passRetained(try make()).toOpaque()
  } catch {
    _ = raise(error)
    return nil
  }
}

@c @implementation
public func aioswift_transport_new(
  _ loop: UnsafeMutableRawPointer?, _ kind: Int32, _ fd: Int32, _ python: UnsafeMutableRawPointer?, _ buffered: Bool,
  _ awaited: Bool
) -> UnsafeMutableRawPointer? {
  let loop = LoopBox.of(loop!).loop
  if buffered {
    let proto = PythonBufferedProtocol(python!)
    return retained { try loop.embeddedTransport(over: fd, isAwaited: awaited, proto) }
  }
  let proto = PythonStreamProtocol(python!)
  return retained {
    if isStream(kind) { return try loop.embeddedTransport(over: fd, isAwaited: awaited, proto) }
    return try isPipe(kind, reading: true)
      ? loop.embeddedReadPipe(over: fd, isAwaited: awaited, proto)
      : loop.embeddedWritePipe(over: fd, isAwaited: awaited, proto)
  }
}

@c @implementation
public func aioswift_datagram_new(
  _ loop: UnsafeMutableRawPointer?, _ fd: Int32, _ python: UnsafeMutableRawPointer?, _ awaited: Bool,
  _ remote: UnsafeRawPointer?, _ length: Int
) -> UnsafeMutableRawPointer? {
  let proto = PythonDatagramProtocol(python!)
  return retained {
    try LoopBox.of(loop!).loop.embeddedDatagramTransport(
      over: fd, remote: address(remote, length), isAwaited: awaited, proto)
  }
}

private func address(_ bytes: UnsafeRawPointer?, _ length: Int) -> SocketAddress? {
  bytes.map { SocketAddress(copyingSockaddr: UnsafeRawBufferPointer(start: $0, count: length)) }
}

@c @implementation
public func aioswift_transport_retain(_ pointer: UnsafeMutableRawPointer?) {
  _ = Unmanaged<BaseTransport>.fromOpaque(pointer!).retain()
}

@c @implementation
public func aioswift_transport_release(_ pointer: UnsafeMutableRawPointer?) {
  Unmanaged<BaseTransport>.fromOpaque(pointer!).release()
}

@c @implementation
public func aioswift_transport_begin_input(_ pointer: UnsafeMutableRawPointer?) {
  transport(pointer, as: BaseTransport.self).beginInput()
}

@c @implementation
public func aioswift_transport_close(_ pointer: UnsafeMutableRawPointer?) {
  transport(pointer, as: BaseTransport.self).close()
}

@c @implementation
public func aioswift_transport_end(_ pointer: UnsafeMutableRawPointer?, _ exception: UnsafeMutableRawPointer?) {
  transport(pointer, as: BaseTransport.self).end(with: exception.map { PythonError(keeping: $0) })
}

@c @implementation
public func aioswift_transport_is_closing(_ pointer: UnsafeMutableRawPointer?) -> Bool {
  transport(pointer, as: BaseTransport.self).isClosing
}

@c @implementation
public func aioswift_transport_set_protocol(
  _ pointer: UnsafeMutableRawPointer?, _ python: UnsafeMutableRawPointer?, _ buffered: Bool
) -> Int32 {
  attempt {
    let stream = transport(pointer, as: StreamTransport.self)
    let new = buffered ? PythonBufferedProtocol(python!) : PythonStreamProtocol(python!)
    new.isReplaced = true
    let old = try stream.getProtocol() as? PythonProtocol
    if buffered {
      try stream.setProtocol(new as! PythonBufferedProtocol)
    } else {
      try stream.setProtocol(new as! PythonStreamProtocol)
    }
    old?.isReplaced = true
    new.isReplaced = false
  }
}

// MARK: Writing

@c @implementation
public func aioswift_stream_write(
  _ pointer: UnsafeMutableRawPointer?, _ bytes: UnsafeRawPointer?, _ count: Int
) -> Int32 {
  let stream: StreamTransport = transport(pointer)
  do throws(EventLoopError) {
    // Right because Python holds the bytes until the call has returned.
    try stream.write(UnsafeRawBufferPointer(start: bytes, count: count).bytes)
    return 0
  } catch {
    return raise(error)
  }
}

@c @implementation
public func aioswift_stream_write_eof(_ pointer: UnsafeMutableRawPointer?) -> Int32 {
  attempt { try transport(pointer, as: StreamTransport.self).writeEOF() }
}

@c @implementation
public func aioswift_pipe_write(_ pointer: UnsafeMutableRawPointer?, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int32
{
  attempt {
    try transport(pointer, as: WritePipeTransport.self).write(UnsafeRawBufferPointer(start: bytes, count: count).bytes)
  }
}

@c @implementation
public func aioswift_pipe_write_eof(_ pointer: UnsafeMutableRawPointer?) -> Int32 {
  attempt { try transport(pointer, as: WritePipeTransport.self).writeEOF() }
}

@c @implementation
public func aioswift_datagram_send(
  _ pointer: UnsafeMutableRawPointer?, _ bytes: UnsafeRawPointer?, _ count: Int, _ to: UnsafeRawPointer?, _ length: Int
) -> Int32 {
  attempt {
    try transport(pointer, as: DatagramTransport.self).send(
      UnsafeRawBufferPointer(start: bytes, count: count).bytes, to: address(to, length))
  }
}

// MARK: Flow control

@c @implementation
public func aioswift_pause_reading(_ pointer: UnsafeMutableRawPointer?, _ kind: Int32, _ pause: Bool) {
  if isStream(kind) {
    let stream: StreamTransport = transport(pointer)
    if pause { stream.pauseReading() } else { stream.resumeReading() }
  } else if isPipe(kind, reading: true) {
    let pipe: ReadPipeTransport = transport(pointer)
    if pause { pipe.pauseReading() } else { pipe.resumeReading() }
  }
}

private func flow(_ pointer: UnsafeMutableRawPointer?, _ kind: Int32) -> (any FlowControlledTransport)? {
  if isStream(kind) { return transport(pointer, as: StreamTransport.self) }
  if isPipe(kind, reading: false) { return transport(pointer, as: WritePipeTransport.self) }
  return isPipe(kind, reading: true) ? nil : transport(pointer, as: DatagramTransport.self)
}

@c @implementation
public func aioswift_buffer_size(_ pointer: UnsafeMutableRawPointer?, _ kind: Int32) -> Int {
  flow(pointer, kind)?.writeBufferSize ?? 0
}

@c @implementation
public func aioswift_limits(
  _ pointer: UnsafeMutableRawPointer?, _ kind: Int32, _ low: UnsafeMutablePointer<Int>?,
  _ high: UnsafeMutablePointer<Int>?
) {
  let limits = flow(pointer, kind)?.writeBufferLimits
  (low!.pointee, high!.pointee) = (limits?.low ?? 0, limits?.high ?? 0)
}

@c @implementation
public func aioswift_set_limits(_ pointer: UnsafeMutableRawPointer?, _ kind: Int32, _ low: Int64, _ high: Int64)
  -> Int32
{
  attempt {
    try flow(pointer, kind)?.setWriteBufferLimits(
      high: high < 0 ? nil : Int(clamping: high), low: low < 0 ? nil : Int(clamping: low))
  }
}

// MARK: Names

@c @implementation
public func aioswift_stream_number(_ pointer: UnsafeMutableRawPointer?) -> Int32 {
  transport(pointer, as: StreamTransport.self).socketNumber
}

@c @implementation
public func aioswift_stream_name(
  _ pointer: UnsafeMutableRawPointer?, _ peer: Bool, _ storage: UnsafeMutableRawPointer?, _ room: Int
) -> Int {
  let stream: StreamTransport = transport(pointer)
  guard let address = stream.getExtraInfo(peer ? .peername : .sockname) else { return 0 }
  return address.withSockaddrBytes { bytes in
    let count = min(bytes.count, room)
    storage!.copyMemory(from: bytes.baseAddress!, byteCount: count)
    return count
  }
}
