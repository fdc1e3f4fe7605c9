internal import CAsyncIO

// Words of the runtime's objects that are read outside of the self-tests, and how each of them is tried out.

/// The word of an object in which the runtime counts the references to it. An object with one owner has the same word
/// as one fresh from the allocator, and any other reference, even a weak or an unowned one, makes it another.
///
/// The owner of the only reference may also set the word to that of an object with two: a reference to keep and one to
/// give away, without the atomic addition that a retain is.
enum ReferenceCounts {
  /// The words of an object without weak and unowned references.
  struct Words {
    /// With one owner.
    let one: UInt
    /// With two strong references.
    let two: UInt
  }

  /// The words; nil if they are not known, or must not be used.
  static let words: Words? = RuntimeKnowledge.referenceCounts.isInUse ? words(at: RuntimeLayout().countsWord) : nil

  @inline(__always)
  static func of(_ object: UnsafeRawPointer) -> UInt { casyncio_reference_counts(object) }

  /// Set the word of an object that nobody else references.
  @inline(__always)
  static func set(_ object: UnsafeMutableRawPointer, to word: UInt) { casyncio_set_reference_counts(object, word) }

  /// Return the words, if any reference to an object changes its word, going takes the change back, and a word that was
  /// set counts.
  static func words(at word: Int) -> Words? {
    guard let one = freshWord(at: word) else { return nil }
    let log = Log()
    let object = Unmanaged.passRetained(Logged(log))
    retain(object)
    let two = of(object.toOpaque())
    object.release()
    guard of(object.toOpaque()) == one, two != one else { return nil }
    set(object.toOpaque(), to: two)
    object.release()
    let isAlive = !log.hasEnded && of(object.toOpaque()) == one
    // With a word that does not count the object is gone already.
    if !log.hasEnded { object.release() }
    return isAlive && log.hasEnded ? Words(one: one, two: two) : nil
  }

  // Not inlined: the compiler leaves out a reference that it sees unused.
  @inline(never)
  private static func retain(_ object: Unmanaged<Logged>) { _ = object.retain() }

  /// Return the word of a fresh object, if any reference to it changes the word, and going takes the change back.
  private static func freshWord(at word: Int) -> UInt? {
    let object = Unmanaged.passRetained(Counted())
    defer { object.release() }
    // The same read as in use, unless a test wants another word.
    func read() -> UInt {
      let skipped = (word - RuntimeLayout().countsWord) * MemoryLayout<UInt>.size
      return casyncio_reference_counts(object.toOpaque() + skipped)
    }
    let fresh = read()
    let isStrongSeen = isSeen([object.takeUnretainedValue()])
    let isUnownedSeen = isSeen([Unowned(object: object.takeUnretainedValue())])
    let isAlike = read() == fresh
    // Last: an object that was ever referenced weakly never looks fresh again.
    let isWeakSeen = isSeen([Weak(object: object.takeUnretainedValue())])
    return isStrongSeen && isUnownedSeen && isAlike && isWeakSeen ? fresh : nil

    // Not inlined: the compiler leaves out a reference that it sees unused.
    @inline(never)
    func isSeen<Reference>(_ references: [Reference]) -> Bool {
      withExtendedLifetime(references) { read() != fresh }
    }
  }

  private final class Log { var hasEnded = false }
  private final class Logged {
    private let log: Log
    init(_ log: Log) { self.log = log }
    deinit { log.hasEnded = true }
  }

  private final class Counted {}
  private struct Unowned { unowned var object: Counted }
  private struct Weak { weak var object: Counted? }
}

/// What closures captured: an address to prefetch, and never to dereference.
///
/// A closure is looked at inside of a struct that has nothing else. By itself it would be wrapped in another closure on
/// its way into a generic function, `unsafeBitCast` among them, and the words would be those of the wrapper.
enum ClosureCaptures {
  /// The two words of a closure of any type: its code, and what it captured.
  private typealias Words = (UInt, UInt)

  /// Return where the captures of the closure in a struct are; nil if it has none, or if that must not be used.
  static func address<Holder>(in holder: Holder) -> UnsafeRawPointer? {
    guard RuntimeKnowledge.closureCaptures.isInUse, MemoryLayout<Holder>.size == MemoryLayout<Words>.size else {
      return nil
    }
    return UnsafeRawPointer(bitPattern: word(RuntimeLayout().capturesWord, of: holder))
  }

  private static func word<Holder>(_ number: Int, of holder: Holder) -> UInt {
    withUnsafeBytes(of: holder) { $0.load(fromByteOffset: number * MemoryLayout<UInt>.size, as: UInt.self) }
  }

  /// True if that word of closures with the same code tells what they captured.
  static func areFound(at number: Int) -> Bool {
    guard MemoryLayout<Holder>.size == MemoryLayout<Words>.size else { return false }
    let first = holder(of: Captured()), second = holder(of: Captured())
    return withExtendedLifetime((first, second)) {
      let captures = [word(number, of: first), word(number, of: second)]
      let code = [word(1 - number, of: first), word(1 - number, of: second)]
      return captures[0] != captures[1] && code[0] == code[1] && !captures.contains(0)
    }
  }

  // Not inlined: both closures have to come from one place in the code.
  @inline(never)
  private static func holder(of captured: Captured) -> Holder { Holder { captured } }

  private struct Holder { let closure: () -> Captured }
  private final class Captured {}
}

extension UnsafeContinuation {
  /// The Swift task that it continues, to compare with others and never to follow; nil if that is not known.
  var taskIdentity: UInt? { ContinuationAddresses.areKnown ? unsafeBitCast(self, to: UInt.self) : nil }

  /// The address at which the sanitizer is told that this task goes on after it was resumed; nil if none is linked. If
  /// a continuation is not an address, all of them share one: the sanitizer then overlooks races, and reports none that
  /// are not there.
  @inline(__always)
  var sanitizerAddress: UnsafeMutableRawPointer? {
    guard casyncio_has_thread_sanitizer() != 0 else { return nil }
    guard ContinuationAddresses.areKnown else { return ContinuationAddresses.common }
    return unsafeBitCast(self, to: UnsafeMutableRawPointer.self)
  }
}

private enum ContinuationAddresses {
  static let areKnown = RuntimeKnowledge.continuationAddresses.isInUse
  // Right because nothing is ever stored or read there.
  nonisolated(unsafe) static let common = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 16)
}
