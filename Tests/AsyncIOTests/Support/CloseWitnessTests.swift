import CloseWitness
import POSIX
import Testing

/// The program of the tests ends where it closes a number twice. See `close.c`.
@Suite(.enabled(if: close_witness_watches(), "a sanitizer has close(2), or this is not Linux"))
struct CloseWitnessTests {
  @Test("The second close of a number ends the program")
  func twice() async throws {
    await #expect(processExitsWith: .signal(SIGABRT)) {
      let end = try makePipe().read
      guard close(end) == 0 else { return }
      close(end)
    }
  }

  @Test("One close of each number does not")
  func once() async throws {
    await #expect(processExitsWith: .success) {
      let ends = try makePipe()
      for end in [ends.read, ends.write] { close(end) }
    }
  }
}
