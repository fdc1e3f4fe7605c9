import AsyncIOPrograms
import Testing

@Suite struct ProxyFigureTests {
  @Test("Figures of several loops are added up, and also given for each")
  func summary() {
    let lines = ProxyFigures.Snapshot.summary([ProxyFigures(), ProxyFigures()], uptime: .milliseconds(12_300))
    #expect(
      lines == [
        "up 12 s; 0 connections now, 0 in all; 0 bytes to the target, 0 to clients",
        "target: 0 refused, 0 without an answer, 0 failed otherwise; clients: 0 refused at TLS, 0 left early, "
          + "0 cut as idle; 0 connections lost",
        "loop 0: 0 connections now, 0 in all; 0 bytes to the target, 0 to clients",
        "loop 1: 0 connections now, 0 in all; 0 bytes to the target, 0 to clients",
      ])
    var (one, other) = (ProxyFigures.Snapshot(), ProxyFigures.Snapshot())
    (one.now, one.total, one[.toTarget], one[.lost]) = (1, 2, 3, .max)
    (other.now, other.total, other[.toTarget], other[.lost]) = (10, 20, 30, 1)
    let sum = one + other
    #expect(sum.now == 11 && sum.total == 22 && sum[.toTarget] == 33 && sum[.cut] == 0)
  }

  @Test("Values of options: what is read, and what is said of those that are not")
  func optionValues() throws {
    let seconds = OptionValue.seconds(0...1e9)
    for (text, value) in [("0", 0), ("-0", 0), ("1.5", 1.5), ("1e9", 1e9)] { #expect(try seconds(text) == value) }
    for text in ["inf", "-inf", "nan", "1e20", "1e300", "-1", "-0.001", "1e9999", "", "x", " 1", "1 "] {
      #expect(throws: WrongValue("Give seconds from 0 to 1000000000.")) { try seconds(text) }
    }
    let number = OptionValue.number(1...Int.max)
    #expect(try number("\(Int.max)") == .max)
    for text in ["0", "-1", "9223372036854775808", "1.0", "1e3", "inf", "", "x"] {
      #expect(throws: WrongValue.self) { try number(text) }
    }
    #expect(try OptionValue.choice(ProxyHeader.Version.self)("v2") == .v2)
    #expect(throws: WrongValue("Use one of: v1, v2.")) { try OptionValue.choice(ProxyHeader.Version.self)("v3") }
    #expect(throws: WrongValue("Use one of: a, b.")) { try OptionValue.word(of: ["a", "b"])("A") }
  }
}
