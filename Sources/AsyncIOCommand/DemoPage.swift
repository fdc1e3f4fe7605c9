import AsyncIO
import AsyncIOPrograms
import CAsyncIO

/// The page of the demo's own process, which another process serves: what is looked at and who looks stay apart.
struct DemoPage {
  private let viewer: ChildProcess

  /// Let this process be inspected, and print the address of the page.
  static func open() async throws -> DemoPage {
    try Inspection.offer()
    let viewer = try await ChildProcess.spawn(ownPath, ["inspect", "\(casyncio_process_number())", "--web"])
    print("\nThe page shows this demo live; `asyncio ps`, `pstree` and `top` \(casyncio_process_number()) do as well:")
    fflush(nil)
    return DemoPage(viewer: viewer)
  }

  func close() async throws { try await viewer.terminate(grace: .seconds(5)) }
}
