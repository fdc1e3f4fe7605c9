extension ConformanceSuite {
  /// Lines of the list that say nothing about a loop in Swift, at most twelve, and why.
  public static let withoutMeaning: [(line: Int, reason: String)] = []
}
