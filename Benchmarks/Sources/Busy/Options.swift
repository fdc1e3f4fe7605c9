import AsyncIO

/// What the loop does besides serving.
enum Shape: String, CaseIterable {
  case hog, slow
}

/// The form of the server.
enum API: String, CaseIterable {
  case streams, `protocol`
}

/// The command line.
struct Options {
  static let usage = """
    usage: busy [--loop \(EventLoopKinds.names.joined(separator: "|"))] \
    [--api \(API.allCases.map(\.rawValue).joined(separator: "|"))] \
    \(Shape.allCases.map(\.rawValue).joined(separator: "|")) PORT
    """

  var loop = "selector"
  var api = API.streams
  let shape: Shape
  let port: UInt16

  init(_ arguments: [String]) throws {
    var rest = arguments[...]
    var words: [String] = []
    while let word = rest.popFirst() {
      switch word {
      case "--loop":
        guard let name = rest.popFirst(), EventLoopKinds.names.contains(name) else {
          throw UsageError(description: "--loop takes one of: \(EventLoopKinds.names.joined(separator: ", "))")
        }
        loop = name
      case "--api":
        guard let api = rest.popFirst().flatMap(API.init) else {
          throw UsageError(description: "--api takes one of: \(API.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        self.api = api
      case _ where word.hasPrefix("-"): throw UsageError(description: "there is no option \(word)")
      default: words.append(word)
      }
    }
    guard words.count == 2 else { throw UsageError(description: "SHAPE and PORT are expected") }
    guard let shape = Shape(rawValue: words[0]) else {
      throw UsageError(description: "there is no shape \(words[0])")
    }
    guard let port = UInt16(words[1]), port > 0 else {
      throw UsageError(description: "PORT is \(words[1]); give a number from 1 to 65535")
    }
    (self.shape, self.port) = (shape, port)
  }
}

/// The command line makes no sense.
struct UsageError: Error, CustomStringConvertible {
  var description: String
}
