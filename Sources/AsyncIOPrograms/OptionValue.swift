/// Reads values of a command's options. An error says what is wrong and what is allowed; the command adds the value and
/// the option.
package enum OptionValue {
  /// Read a number of seconds in a range. Numbers that no `Duration` holds are out of range, as are `inf` and `nan`.
  package static func seconds(_ range: ClosedRange<Double>) -> @Sendable (String) throws -> Double {
    { text in
      guard let number = Double(text), range.contains(number) else {
        throw WrongValue("Give seconds from \(plain(range.lowerBound)) to \(plain(range.upperBound)).")
      }
      return number
    }
  }

  /// Read a whole number in a range.
  package static func number<Number: FixedWidthInteger & Sendable>(
    _ range: ClosedRange<Number>
  ) -> @Sendable (String) throws -> Number {
    { text in
      guard let number = Number(text), range.contains(number) else {
        throw WrongValue("Give a whole number from \(range.lowerBound) to \(range.upperBound).")
      }
      return number
    }
  }

  /// Read one of some words.
  package static func word(of known: [String]) -> @Sendable (String) throws -> String {
    { text in
      guard known.contains(text) else { throw WrongValue("Use one of: \(known.joined(separator: ", ")).") }
      return text
    }
  }

  /// Read one case of an enumeration, by its word.
  package static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
    _: Choice.Type
  ) -> @Sendable (String) throws -> Choice {
    { text in
      guard let choice = Choice(rawValue: text) else {
        throw WrongValue("Use one of: \(Choice.allCases.map(\.rawValue).joined(separator: ", ")).")
      }
      return choice
    }
  }

  private static func plain(_ number: Double) -> String {
    Int(exactly: number).map { "\($0)" } ?? "\(number)"
  }
}

/// What is allowed instead of a value.
package struct WrongValue: Error, Equatable, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}
