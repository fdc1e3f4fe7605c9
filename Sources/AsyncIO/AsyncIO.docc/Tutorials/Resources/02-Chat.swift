import AsyncIO

@main struct Chat: AsyncProgram {
  static func run() async throws {
    print("hello from \(try getRunningLoop())")
  }
}
