import AsyncIOPrograms
import AsyncIOSimulation
import SystemPackage

/// Writes the world of one seed as a page that needs no other file.
struct TimelinePage {
  let path: String
  let scenario: String
  let seed: UInt64
  private let recorder = WorldRecording()

  init(path: String, scenario: String, seed: UInt64) { (self.path, self.scenario, self.seed) = (path, scenario, seed) }

  /// Let the world run once, so that what was recorded last is what the failure says.
  func prepare(_ options: inout CampaignOptions) {
    options.shrinks = false
    options.repeatEvery = 0
  }

  /// Return the scenario with a recorder in its world.
  func recording(
    _ body: @escaping @Sendable (SimulationWorld) async throws -> Void
  ) -> @Sendable (SimulationWorld) async throws -> Void {
    { [recorder] world in
      world.record(into: recorder)
      try await body(world)
    }
  }

  /// Write the page. Throws ``WrongValue`` with the path and the system's reason.
  func write(_ failure: SimulationFailure?) throws {
    if let failure { recorder.fail(failure) }
    let world = recorder.json(scenario: scenario, seed: seed, failure: failure)
    let page = Self.page(of: world)
    do {
      let file = try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.create, .truncate],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
      try file.closeAfter { _ = try file.writeAll(page) }
    } catch {
      throw WrongValue(
        "\(path) cannot be written: \(error). Give --timeline the name of a file in a folder that exists.")
    }
    print("the world as a page: \(path)")
  }

  /// Put a world into the page. A text in it must not end the script that holds it.
  private static func page(of world: String) -> [UInt8] {
    let page = PackageResources.timeline_html
    let mark = Array("\"WORLD\"</script>".utf8)
    guard let place = (0...page.count - mark.count).first(where: { page[$0..<$0 + mark.count].elementsEqual(mark) })
    else {
      preconditionFailure("the page of a timeline has no place for the world")
    }
    let safe = world.utf8.flatMap { $0 == UInt8(ascii: "<") ? Array("\\u003c".utf8) : [$0] }
    return page[..<place] + safe + page[(place + 7)...]
  }
}
