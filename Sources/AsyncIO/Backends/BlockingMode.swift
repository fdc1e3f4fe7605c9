internal import CAsyncIO

// Whether a file blocks is a property of the open file, not of the number: the standard input of a program is often the
// terminal that its shell and its parent also read, and standard input, output and error are often one open file. A
// program that leaves it non-blocking breaks the others (`cat: Resource temporarily unavailable`). So what was changed
// here is changed back when the last descriptor of this process that needs it is closed, or the process exits.
//
// A child that is started here gets an open file of its own in its place, see `SpawnFiles`.
//
// The system does not say which numbers share an open file. But if a file of a known inode is already non-blocking, it
// shares the open file, or cannot be told from one that does; if its mode has to be changed, it has an open file of its
// own.

/// The files that this process made non-blocking and must restore. Any thread.
enum BlockingMode {
  /// The descriptors that need one open file to be non-blocking. Under the lock.
  final class Debt: @unchecked Sendable {
    var holders = 1
  }

  struct Ledger {
    /// The latest debt for each file.
    var debts: [FileIdentity: Debt] = [:]
    /// By the generation of the descriptor.
    var holders: [UInt32: Holder] = [:]
    var watchesExit = false
  }

  struct Holder {
    var file: FileIdentity
    var debt: Debt
    var fileDescriptor: Int32
  }

  private static let ledger = Lock(Ledger())

  /// Make the file non-blocking until the descriptor is closed. Returns a negated errno if that is impossible.
  static func enter(_ descriptor: IODescriptor) -> Int32 {
    let fd = descriptor.fileDescriptor
    guard let file = FileIdentity(fd) else { return -EBADF }
    return ledger.withLock { ledger in
      let wasNonBlocking = casyncio_is_nonblocking(fd)
      if wasNonBlocking < 0 { return wasNonBlocking }
      if wasNonBlocking == 1 {
        // A mode that other code has set is not restored.
        guard let debt = ledger.debts[file] else { return 0 }
        debt.holders += 1
        ledger.holders[descriptor.generation] = Holder(file: file, debt: debt, fileDescriptor: fd)
      } else {
        let status = casyncio_set_nonblocking(fd)
        guard status == 0 else { return status }
        let debt = Debt()
        ledger.debts[file] = debt
        ledger.holders[descriptor.generation] = Holder(file: file, debt: debt, fileDescriptor: fd)
      }
      descriptor.owesBlockingMode = true
      if !ledger.watchesExit {
        ledger.watchesExit = true
        atexit { BlockingMode.restoreAll() }
      }
      return 0
    }
  }

  /// Note that the descriptor is about to be closed.
  static func leave(_ descriptor: IODescriptor) {
    ledger.withLock { ledger in
      guard let holder = ledger.holders.removeValue(forKey: descriptor.generation) else { return }
      holder.debt.holders -= 1
      guard holder.debt.holders == 0 else { return }
      if ledger.debts[holder.file] === holder.debt { ledger.debts[holder.file] = nil }
      _ = casyncio_set_blocking(holder.fileDescriptor)
    }
  }

  /// True if the file of the number is non-blocking because this process made it so.
  static func isOwed(by fileDescriptor: Int32) -> Bool {
    guard let file = FileIdentity(fileDescriptor) else { return false }
    return ledger.withLock { $0.debts[file] != nil } && casyncio_is_nonblocking(fileDescriptor) == 1
  }

  /// Restore all modes: the process exits with descriptors open.
  private static func restoreAll() {
    ledger.withLock { ledger in
      for holder in ledger.holders.values { _ = casyncio_set_blocking(holder.fileDescriptor) }
    }
  }
}
