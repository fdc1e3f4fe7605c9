#if !os(Windows)
  extension ConformanceSuite {
    /// The policies that asyncio has on Windows only are compile errors here.
    static let windowsPolicyChecks: [ConformanceCheck] = []
  }
#endif
