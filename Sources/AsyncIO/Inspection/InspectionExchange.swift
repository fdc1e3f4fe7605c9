/// One request and its answer, apart from the socket.
///
/// A request is a line: `snapshot`, and perhaps the most entries of a list. The answer is JSON, and the end of it the
/// end of the connection.
struct InspectionExchange {
  enum Step: Equatable {
    /// Receive more.
    case receive
    /// Look at the loops, at most `limit` entries in a list, and give the answer to `answer`.
    case look(limit: Int)
    /// Send what `unsent` has.
    case send
    case end
  }

  private enum Phase {
    case request([UInt8])
    case looking
    case answer([UInt8], sent: Int)
    case over
  }

  static var longestRequest: Int { 64 }
  static var limits: ClosedRange<Int> { 1...10_000 }
  static var usualLimit: Int { 1000 }

  private var phase = Phase.request([])

  var step: Step {
    switch phase {
    case .request: .receive
    case .looking: .end
    case .answer: .send
    case .over: .end
    }
  }

  /// Take what the peer has sent; nothing is the end of its stream.
  mutating func received(_ bytes: some Collection<UInt8>) -> Step {
    guard case .request(var line) = phase, !bytes.isEmpty else { return over() }
    line += bytes
    guard let end = line.firstIndex(of: UInt8(ascii: "\n")) else {
      if line.count >= Self.longestRequest { return refuse("the request is too long") }
      phase = .request(line)
      return .receive
    }
    let words = String(decoding: line[..<end], as: UTF8.self).split(separator: " ")
    guard words.first == "snapshot", words.count <= 2 else {
      return refuse("the request is none that this process knows; another version of the command may")
    }
    let limit = words.count == 2 ? Int(words[1]) : Self.usualLimit
    guard let limit, Self.limits.contains(limit) else {
      return refuse("the limit is not a number from \(Self.limits.lowerBound) to \(Self.limits.upperBound)")
    }
    phase = .looking
    return .look(limit: limit)
  }

  /// Take the answer to the look.
  mutating func answer(_ text: String) -> Step {
    phase = .answer(Array(text.utf8), sent: 0)
    return .send
  }

  private mutating func refuse(_ reason: String) -> Step { answer(JSON.object([("error", JSON.string(reason))])) }

  private mutating func over() -> Step {
    phase = .over
    return .end
  }

  /// Do something with the bytes that are left to be sent.
  func withUnsent<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    guard case .answer(let bytes, let sent) = phase else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
    return bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
  }

  mutating func sent(_ count: Int) -> Step {
    guard case .answer(let bytes, let before) = phase, before + count < bytes.count else { return over() }
    phase = .answer(bytes, sent: before + count)
    return .send
  }
}
