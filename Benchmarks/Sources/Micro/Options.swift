import AsyncIO

/// The command line. By hand: a parser of options is more code than all of the works, and starts slower than most run.
struct Options {
  static let usage = """
    usage: micro [--loop \(EventLoopKinds.names.joined(separator: "|"))] [--extent process|scope] WORK N [PORT]
    works: \(Work.allCases.map(\.rawValue).joined(separator: " "))
    """

  var loop = "selector"
  var extent = Runner.Extent.process
  let work: Work
  let count: Int
  /// For works that serve a client, and those only.
  let port: UInt16?

  init(_ arguments: [String]) throws {
    var rest = arguments[...]
    var words: [String] = []
    while let word = rest.popFirst() {
      switch word {
      case "--loop": loop = try Self.value(of: word, in: &rest, among: EventLoopKinds.names)
      case "--extent":
        extent = try Self.value(of: word, in: &rest, among: ["process", "scope"]) == "scope" ? .scope : .process
      case _ where word.hasPrefix("-"): throw UsageError(description: "there is no option \(word)")
      default: words.append(word)
      }
    }
    guard words.count >= 2 else { throw UsageError(description: "WORK and N are missing") }
    guard let work = Work(rawValue: words[0]) else { throw NotOffered(description: "there is no work \(words[0])") }
    guard let count = Int(words[1]), count > 0 else {
      throw UsageError(description: "N is \(words[1]); give a number of operations")
    }
    guard words.count == (work.needsPort ? 3 : 2) else {
      throw UsageError(description: work.needsPort ? "\(words[0]) needs a PORT" : "too many arguments")
    }
    port = try work.needsPort ? Self.port(words[2]) : nil
    (self.work, self.count) = (work, count)
  }

  private static func value(
    of option: String, in rest: inout ArraySlice<String>, among names: [String]
  ) throws -> String {
    guard let value = rest.popFirst(), names.contains(value) else {
      throw UsageError(description: "\(option) takes one of: \(names.joined(separator: ", "))")
    }
    return value
  }

  private static func port(_ word: String) throws -> UInt16 {
    guard let port = UInt16(word), port > 0 else {
      throw UsageError(description: "PORT is \(word); give a number from 1 to 65535")
    }
    return port
  }
}
