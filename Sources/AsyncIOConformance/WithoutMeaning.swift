extension ConformanceSuite {
  /// Lines of the list that say nothing about a loop in Swift, at most twelve, and why.
  public static let withoutMeaning: [(line: Int, reason: String)] = [
    (
      141,
      "Text mode, encodings and buffer sizes of subprocesses cannot be expressed: there are no parameters for them."
    )
  ]
}
