#if os(Linux)
  import POSIX
  import Testing

  /// The public entry points that take a number, read from the sources: functions, initialisers and subscripts with a
  /// parameter of a type of numbers, and properties of one that can be set.
  enum NumericEntryPoints {
    private static let types: Set<String> = [
      "Int", "Int8", "Int16", "Int32", "Int64", "UInt", "UInt8", "UInt16", "UInt32", "UInt64", "Double", "Float",
      "Duration", "EventLoopInstant", "Range<UInt64>",
    ]

    /// Not called with numbers, and why.
    static let exempt: [String: String] = [
      "CallSite.line": "a place in the sources, which the compiler gives",
      "SubprocessProtocol.pipeDataReceived(_:_:)": "called by the library",
      "SubprocessProtocol.pipeConnectionLost(_:_:)": "called by the library",
    ]

    /// Called, though no parameter is of a type of numbers: what the numbers are in.
    static let others: Set<String> = [
      "ChildProcess.spawn", "EventLoop.getnameinfo(_:flags:)", "FaultPlan.subscript(_:)", "Socket.set(_:to:)",
      "TerminationStatus.returnCode",
    ]

    /// Files for authors of loops: what they call with these numbers is this library, not a program.
    private static let folders = ["Backends/"]

    static func all() throws -> Set<String> {
      let root = #filePath.split(separator: "/").dropLast(4).map { "/\($0)" }.joined()
      var found: Set<String> = []
      for folder in ["AsyncIO", "AsyncIOSimulation"] {
        for path in files(under: "\(root)/Sources/\(folder)") where !folders.contains(where: path.contains) {
          var file = SourceFile(try text(of: path))
          found.formUnion(file.entryPoints { isNumeric($0) })
        }
      }
      return found
    }

    private static func isNumeric(_ type: String) -> Bool {
      types.contains(type.last == "?" ? String(type.dropLast()) : type)
    }

    private static func files(under path: String) -> [String] {
      guard let directory = opendir(path) else { return [] }
      defer { closedir(directory) }
      var found: [String] = []
      while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
        }
        if name.hasSuffix(".swift") { found.append("\(path)/\(name)") }
        if entry.pointee.d_type == UInt8(DT_DIR), name.first != "." { found += files(under: "\(path)/\(name)") }
      }
      return found.sorted()
    }

    private static func text(of path: String) throws -> String {
      let file = try #require(fopen(path, "r"), "\(path)")
      defer { fclose(file) }
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 65536)
      while true {
        let count = fread(&buffer, 1, buffer.count, file)
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += buffer.prefix(count)
      }
    }
  }

  /// A file in the form that `swift format` gives it: the indentation says what a declaration is inside of.
  private struct SourceFile {
    private let lines: [Substring]
    /// Types that are open, with their indentation.
    private var types: [(indentation: Int, name: String)] = []

    init(_ text: String) { lines = text.split(separator: "\n", omittingEmptySubsequences: false) }

    mutating func entryPoints(_ isNumeric: (String) -> Bool) -> Set<String> {
      var found: Set<String> = []
      for (index, line) in lines.enumerated() {
        let indentation = line.prefix { $0 == " " }.count
        let words = line.dropFirst(indentation).split(separator: " ")
        guard let first = words.first, !first.hasPrefix("//"), first != "}" else { continue }
        types.removeAll { $0.indentation >= indentation }
        if let type = typeName(words) {
          types.append((indentation, type))
          continue
        }
        guard words.contains("public") || words.contains("open") else { continue }
        let context = types.last.map { "\($0.name)." } ?? ""
        if let property = settable(words, at: index, indentation, isNumeric) { found.insert(context + property) }
        if let function = function(words, at: index, isNumeric) { found.insert(context + function) }
      }
      return found
    }

    private func typeName(_ words: [Substring]) -> String? {
      let keywords: Set<Substring> = ["class", "struct", "enum", "extension", "protocol", "actor"]
      guard let place = words.firstIndex(where: keywords.contains), place + 1 < words.count else { return nil }
      return String(words[place + 1].prefix { $0.isLetter || $0.isNumber || $0 == "." })
    }

    /// The name of a property of a type of numbers that can be set from outside.
    private func settable(
      _ words: [Substring], at index: Int, _ indentation: Int, _ isNumeric: (String) -> Bool
    ) -> String? {
      guard let place = words.firstIndex(of: "var"), place + 2 < words.count,
        !words.contains(where: { $0.hasSuffix("(set)") })
      else { return nil }
      // Its type may follow from its first value.
      let isNumber =
        words[place + 1].last == ":"
        ? isNumeric(String(words[place + 2])) : words[place + 2] == "=" && words.last?.first?.isNumber == true
      guard isNumber else { return nil }
      let name = String(words[place + 1].prefix { $0 != ":" })
      guard words.contains("{") else { return name }
      let body = lines[(index + 1)...].prefix { $0.prefix { $0 == " " }.count > indentation }
      return body.contains { $0.drop { $0 == " " }.hasPrefix("set") } ? name : nil
    }

    /// The name of a function with a parameter of a type of numbers.
    private func function(_ words: [Substring], at index: Int, _ isNumeric: (String) -> Bool) -> String? {
      let keywords = ["func", "init", "subscript"]
      guard
        let place = words.firstIndex(where: { word in
          keywords.contains { word == $0 || word.hasPrefix("\($0)(") || word.hasPrefix("\($0)?(") }
        })
      else { return nil }
      let rest = words[place...].joined(separator: " ") + " " + lines[(index + 1)...].prefix(12).joined(separator: " ")
      let declared = rest.hasPrefix("func ") ? rest.dropFirst(5) : rest[...]
      let name = declared.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
      guard let open = declared.firstIndex(of: "("), !name.isEmpty else { return nil }
      let parameters = split(declared[declared.index(after: open)...])
      guard parameters.contains(where: { $0.label != "line" && isNumeric($0.type) }) else { return nil }
      return "\(name)(\(parameters.map { "\($0.label):" }.joined()))"
    }

    /// The parameters up to the closing parenthesis.
    private func split(_ text: Substring) -> [(label: String, type: String)] {
      var parameters: [Substring] = []
      var depth = 0
      var begin = text.startIndex
      for index in text.indices {
        switch text[index] {
        case "(", "[", "<": depth += 1
        case ">" where text[..<index].last == "-": break
        case ")" where depth == 0:
          parameters.append(text[begin..<index])
          return parameters.filter { $0.contains(":") }.map(parameter)
        case ")", "]", ">": depth -= 1
        case "," where depth == 0:
          parameters.append(text[begin..<index])
          begin = text.index(after: index)
        default: break
        }
      }
      return []
    }

    private func parameter(_ text: Substring) -> (label: String, type: String) {
      let sides = text.split(separator: ":", maxSplits: 1)
      let label = sides[0].split(separator: " ").first.map(String.init) ?? ""
      let type = sides[1].split(separator: "=")[0].drop { $0 == " " }
      return (label, String(type.prefix { $0 != " " }))
    }
  }
#endif
