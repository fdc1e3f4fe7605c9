// What a descriptor knows of the floor above it: a loop has it, and somebody may watch it. The descriptor is used for
// every message and stands below the loop, so it calls upwards through these two only, and for no message.

/// Who has a descriptor in care: a loop.
///
/// Descriptors do not hold their keeper: it outlives them, or closes them at its own end.
protocol DescriptorKeeper: AnyObject {
  /// The mechanism that waits for the descriptor.
  var backend: any IOBackend { get }
  /// The calls that its number is used with: the system's, or those of a simulated network.
  var sockets: any SocketCalls { get }
  /// Held while a number is given back, and while a thread that does not run the loop uses one. A byte, as the address
  /// of an empty value is that of what stands behind it, and the thread sanitizer takes the two for one.
  var numbers: Lock<UInt8> { get }

  /// Ends what waits on the descriptor and gives its number back; at once in the loop's thread, else as soon as the
  /// loop gets to it. Any thread, once.
  func close(_ descriptor: IODescriptor)
}

/// Who is called when a watched descriptor is ready. Loop thread.
protocol DescriptorWatch: AnyObject {
  /// Somebody is to be called when the descriptor can be read.
  var waitsToRead: Bool { get }
  /// Somebody is to be called when the descriptor can be written.
  var waitsToWrite: Bool { get }

  /// Queues the callbacks of what is ready, the reader's first.
  func deliver(readable: Bool, writable: Bool)
  /// The number is somebody else's now: the callbacks have lost.
  func cancel()
  /// The number stands for the file that it stood for when the watch began.
  func isSameFile(as fileDescriptor: Int32) -> Bool
}
