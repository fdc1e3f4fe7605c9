import CAsyncIO

/// The kernel's number of the calling thread.
func currentThread() -> Int {
  Int(casyncio_thread_number())
}

/// The path of this program.
var ownPath: String {
  var buffer = [CChar](repeating: 0, count: 4096)
  let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
  return count > 0
    ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : CommandLine.arguments[0]
}

/// Print without a line end, at once.
func printNow(_ text: String) {
  print(text, terminator: "")
  fflush(nil)
}

/// Print a line at once, even to a file or a pipe: the program that started a server waits for it.
func announce(_ line: String) {
  printNow(line + "\n")
}

extension String {
  /// Append spaces to the text, up to a width.
  func padded(to width: Int) -> String {
    count >= width ? self : self + String(repeating: " ", count: width - count)
  }

  /// Wrap the text into lines of at most this many characters, broken between words.
  func wrapped(at width: Int) -> [String] {
    split(separator: " ").reduce(into: [""]) { lines, word in
      let line = lines[lines.count - 1]
      if line.isEmpty {
        lines[lines.count - 1] = String(word)
      } else if line.count + 1 + word.count <= width {
        lines[lines.count - 1] += " \(word)"
      } else {
        lines.append(String(word))
      }
    }
  }
}

extension Double {
  /// Round to some decimal places.
  func rounded(to places: Int) -> Double {
    let scale = (0..<places).reduce(1.0) { scale, _ in scale * 10 }
    return (self * scale).rounded() / scale
  }
}
