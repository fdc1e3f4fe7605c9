/// The callbacks of `addReader` and `addWriter` for one number, and the file that it stood for when they were added.
///
/// Loop thread, or the thread that closes the loop.
final class Watch: DescriptorWatch {
  private unowned let loop: BaseEventLoop
  /// The file that the number stood for.
  let file: FileIdentity
  /// Remembers the open file if the identity does not tell it from others.
  let witness: FileWitness?

  var reader: Handle?
  var writer: Handle?

  init(_ loop: BaseEventLoop, _ file: FileIdentity, _ witness: FileWitness?) {
    self.loop = loop
    self.file = file
    self.witness = witness
  }

  var waitsToRead: Bool { reader != nil }
  var waitsToWrite: Bool { writer != nil }
  var isOver: Bool { reader == nil && writer == nil }

  func deliver(readable: Bool, writable: Bool) {
    loop.assertLoopThread()
    if readable, let reader { loop.pushArrival(LoopWord(reader, .handle)) }
    if writable, let writer { loop.pushArrival(LoopWord(writer, .handle)) }
  }

  func cancel() {
    reader?.cancel()
    writer?.cancel()
    reader = nil
    writer = nil
  }

  /// Drop the callbacks of a loop that is closed.
  func drop() {
    reader?.drop()
    writer?.drop()
  }

  func isSameFile(as fileDescriptor: Int32) -> Bool {
    FileIdentity(fileDescriptor) == file && (witness?.knows(fileDescriptor) ?? true)
  }
}

/// A watched descriptor with its watch.
struct Watched {
  let descriptor: IODescriptor
  let watch: Watch
}
