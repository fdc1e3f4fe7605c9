/// A transport that keeps what the system does not take at once, and asks its protocol to pause when that is too much:
/// a ``WriteTransport`` or a ``DatagramTransport``. For the loop's thread.
public protocol FlowControlledTransport: BaseTransport {}

extension FlowControlledTransport {
  /// The number of bytes that wait to be sent, with eight more for each datagram. Answers `get_write_buffer_size`.
  public var writeBufferSize: Int {
    requireThread("writeBufferSize")
    return waitingSize
  }

  /// When the protocol is asked to pause and to go on. Answers `get_write_buffer_limits`.
  public var writeBufferLimits: WriteBufferLimits {
    requireThread("writeBufferLimits")
    return flow.limits
  }

  /// Set the limits, see ``WriteBufferLimits/init(high:low:)``, and check at once whether the protocol must pause or
  /// may go on. Throws code `invalidArgument` unless `high >= low >= 0`. Answers `set_write_buffer_limits`.
  public func setWriteBufferLimits(high: Int? = nil, low: Int? = nil) throws(EventLoopError) {
    try checkThread("setWriteBufferLimits")
    let limits = try WriteBufferLimits(high: high, low: low)
    act(on: flow.setLimits(limits, waitingSize))
  }
}
