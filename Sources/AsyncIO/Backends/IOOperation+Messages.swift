internal import CAsyncIO

// What backends see of a message besides its bytes.

extension IOOperation {
  /// Memory for a socket address (`sockaddr_storage`) of a message; nil if the address is not wanted.
  package var messageAddress: UnsafeMutableRawBufferPointer? {
    // Right because the address is the first field of the record.
    message.map { UnsafeMutableRawBufferPointer(start: $0, count: MemoryLayout<sockaddr_storage>.size) }
  }

  /// The length of the address in that memory; 0 for the connected peer, or for a sender without a name.
  package var messageAddressLength: Int {
    get { Int(message?.pointee.address_length ?? 0) }
    set { message?.pointee.address_length = socklen_t(newValue) }
  }

  /// True if the message was longer than the room for it, and its end is lost.
  package var isMessageTruncated: Bool {
    get { message.map { $0.pointee.is_truncated != 0 } ?? false }
    set { message?.pointee.is_truncated = newValue ? 1 : 0 }
  }

  /// Receive without waiting. Returns the number of bytes, or a negated errno.
  func tryReceiveMessage() -> Int {
    casyncio_receive_message(descriptor.fileDescriptor, buffer, count, message)
  }

  /// Send without waiting. Returns the number of bytes, or a negated errno.
  func trySendMessage() -> Int {
    casyncio_send_message(descriptor.fileDescriptor, buffer, count, message)
  }
}
