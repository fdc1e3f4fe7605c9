import ArgumentParser
import AsyncIO
import AsyncIOPrograms

/// `asyncio inspect`: everything that a process says of itself, as text or on a page.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show all that a running process says of its loops, or serve it as a page.",
    discussion: """
      With --web a browser shows it live: open the address that is printed. The page is served from this machine to \
      this machine; from elsewhere, forward the port with ssh -L. See `asyncio help ps` for how a process offers it.
      """)

  @OptionGroup var options: InspectionOptions

  @Flag(help: "Serve a page for a browser, until Ctrl-C.")
  var web = false

  @Option(
    parsing: .unconditional, help: "Where --web listens: a port of 127.0.0.1, 0 for any, or unix:/path.",
    transform: Endpoint.parseListening)
  var at = Endpoint.network(host: nil, port: 0)

  func validate() throws {
    if let host = at.host, !["127.0.0.1", "::1", "localhost"].contains(host) {
      throw ValidationError(
        "The page shows the inside of a process, so it is for this machine only: --at takes a port, 127.0.0.1:port, "
          + "[::1]:port or unix:/path. From elsewhere, forward the port with ssh -L.")
    }
  }

  func run() throws {
    guard web else { return try options.show { InspectionText.all($0) } }
    let (process, limit, at) = (try options.inspected, options.limit, at)
    try InspectionOptions.run {
      // Asked once before, so that what cannot be asked is said here and not on the page.
      _ = try await process.report(limit: 1)
      let key = InspectionPage.makeKey()
      let page = InspectionPage(files: Self.files, key: key) { try await process.fetch(limit: limit) }
      let listener: StreamListener
      switch at {
      case .network(let host, let port): listener = try await .bind(host: host ?? "127.0.0.1", port: port)
      case .unix(let path): listener = try await .bind(unixPath: path)
      }
      announce("process \(process.name) on \(Self.address(of: listener, at))#\(key)")
      try await page.serve(listener)
    }
  }

  private static func address(of listener: StreamListener, _ endpoint: Endpoint) -> String {
    if case .unix(let path) = endpoint { return "unix:\(path), as http://localhost/" }
    return "http://\(listener.addresses[0])/"
  }

  private static let files: [String: InspectionPage.File] = [
    "/": .init(type: "text/html; charset=utf-8", bytes: PackageResources.index_html),
    "/page.css": .init(type: "text/css; charset=utf-8", bytes: PackageResources.page_css),
    "/page.js": .init(type: "text/javascript; charset=utf-8", bytes: PackageResources.page_js),
  ]
}
