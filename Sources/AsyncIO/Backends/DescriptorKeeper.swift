// What a descriptor knows of the floor above it: a loop has it, and a watch may be called for it. The descriptor is
// used for every message and stands below the loop, so it calls upwards through these two protocols only, and never for
// a message.

/// The owner that has a descriptor in care: a loop.
///
/// Descriptors do not hold their keeper: it outlives them, or closes them at its own end.
protocol DescriptorKeeper: AnyObject {
  /// The mechanism that waits for the descriptor.
  var backend: any IOBackend { get }
  /// The calls that its number is used with: the system's, or those of a simulated network.
  var sockets: any SocketCalls { get }
  /// Held while a number is given back, and while a thread that does not run the loop uses one. A `UInt8`, not `Void`:
  /// an empty value would share the next field's address, and the thread sanitizer would mistake the two locks for one.
  var numbers: Lock<UInt8> { get }

  /// True where what backends and descriptors keep may be touched: in the thread that runs the loop, or while no thread
  /// does. For assertions.
  var isLoopThread: Bool { get }

  /// End pending operations of the descriptor and give its number back; at once in the loop's thread, else as soon as
  /// the loop gets to it. Any thread, once.
  func closeDescriptor(_ descriptor: IODescriptor)
}

/// Called when a watched descriptor is ready. Loop thread.
protocol DescriptorWatch: AnyObject {
  /// True if there is a callback for when the descriptor can be read.
  var waitsToRead: Bool { get }
  /// True if there is a callback for when the descriptor can be written.
  var waitsToWrite: Bool { get }

  /// Queue the callbacks of what is ready, the reader's first.
  func deliver(readable: Bool, writable: Bool)
  /// Cancel the callbacks: the number may be another file's by now.
  func cancel()
  /// Return whether the number still stands for the file that it stood for when the watch began.
  func isSameFile(as fileDescriptor: Int32) -> Bool
}
